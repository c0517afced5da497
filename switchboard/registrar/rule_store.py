"""The rules of users and groups on disk (SQLite), or on a server with a copy here: who is called when."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from switchboard.core.call_rules import GROUP, Group, UserRules
from switchboard.storage import record_store
from switchboard.storage.record_store import RecordStore, Table
from switchboard.storage.records import Page
from switchboard.storage.rescue import Row
from switchboard.storage.shared_records import SharedStore
from switchboard.storage.unusable import UnusableFile


class RuleStoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


class RuleRecord(NamedTuple):
    """Rules as the store has them. `number`: of the change that wrote them. `changed_at`: epoch s.

    `name`: a user, or "group:" with the name of a group. `body`: what `to_wire` returns, as JSON; "" for what was
    removed.
    """

    number: int
    name: str
    body: str
    changed_at: float

    @property
    def key(self) -> str:
        return self.name

    @property
    def is_removed(self) -> bool:
        return not self.body


def body_of(rules: UserRules | Group | None) -> str:
    """How a record has them."""
    return "" if rules is None else json.dumps(rules.to_wire(), ensure_ascii=False, separators=(",", ":"))


def read_body(name: str, body: str) -> UserRules | Group:
    """The rules of a record. ValueError for what this program cannot understand."""
    try:
        wire = json.loads(body)
        return Group.from_wire(wire) if name.startswith(GROUP) else UserRules.from_wire(wire)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"the rules of {name} cannot be read: {error}") from error


def _rules_in(row: Row) -> Sequence[Any] | None:
    """A row of `rules`, whose key stands first on the disk."""
    match row:
        case None, [str(name), int(number), str(body), int() | float() as changed_at]:
            return number, name, body, float(changed_at)
    return None


RULES: Final = Table(
    "rules",
    "they stay as they are",
    {"number": "INTEGER", "name": "TEXT", "body": "TEXT", "changed_at": "REAL"},
    "body",
    RuleRecord,
    RuleStoreError,
    _rules_in,
    "bring back what is missing: switchboard restore DIR users, or switchboard forward USER",
)
SCHEMA: Final = RULES.schema


class RuleStore(RecordStore[RuleRecord]):
    """The owner's end: the registrar's, or a command's while no registrar runs."""

    table = RULES

    def put(self, name: str, rules: UserRules | Group | None, now_at: float) -> None:
        """Let these be the rules of `name`, None for none, durable when this returns. NotWritten."""
        record = RuleRecord(0, name, body_of(rules), now_at)
        if rules is None:
            self.remove_record(record)
        else:
            self.write([record])


class SharedRuleStore(SharedStore[RuleRecord], RuleStore):
    """See `RuleStore`: the copy."""


def read_page(path: Path, after: int, at_most: int) -> Page[RuleRecord] | None:
    """As `RuleStore.page`, without disturbing the writer; None if there is no store yet."""
    return record_store.read_page(RULES, path, after, at_most)
