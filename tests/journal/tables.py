"""What tests of the journal's tables share: both twins, and what their changes say."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from journal.scripts import T0, answered, bye, failed, invite, refreshed, relayed, ringing, unconfirmed

from switchboard import codec
from switchboard.journal.call import Call
from switchboard.journal.changes import Batch, Changes
from switchboard.journal.deliveries import Router
from switchboard.journal.events import CallEvent
from switchboard.journal.journal import Journal
from switchboard.journal.table import CallTable, CallTableInPython

TABLES = [CallTableInPython] if CallTable is CallTableInPython else [CallTableInPython, CallTable]


def saved(batch: Batch) -> list[Any]:
    """The entries of a batch."""
    entries: list[Any] = codec.unpack(codec.list_head(batch.entries) + batch.data)
    return entries


def opened(changes: Changes) -> list[Call]:
    """The open calls that are new or have changed."""
    return [Call.restore(entry) for entry in saved(changes.calls) if isinstance(entry, list)]


MAX_CALL_S = 7200.0
IN_MEMORY = ":memory:"
LIVES: list[Callable[[str], list[CallEvent]]] = [
    lambda name: [invite(0, name), ringing(1, name), answered(2, call_id=name), bye(at=5, call_id=name)],
    lambda name: [invite(0, name), answered(2, call_id=name), bye("b", "a", 5, name)],
    lambda name: [invite(0, name), ringing(1, name), failed(487, "caller", 2, name)],
    lambda name: [
        invite(0, name),
        failed(407, at=1, call_id=name),
        invite(2, name),
        answered(3, call_id=name),
    ],
    lambda name: [
        invite(0, name),
        failed(302, at=1, call_id=name),
        invite(2, name),
        answered(3, call_id=name),
    ],
    lambda name: [invite(0, name), answered(1, call_id=name), answered(2, "d", name), bye("a", "d", 3, name)],
    lambda name: [
        invite(0, name),
        answered(1, call_id=name),
        bye(call_id=name, status=401),
        bye("b", "a", 9, name),
    ],
    lambda name: [invite(0, name), failed(401, at=1, call_id=name), failed(407, "switchboard", 1, name)],
    lambda name: [invite(0, name), answered(1, call_id=name, session_s=90), unconfirmed(33, name)],
    lambda name: [invite(0, name), answered(1, call_id=name, record_routed=False)],
    lambda name: [invite(0, name), answered(1, call_id=name), refreshed(2, 1800)._replace(call_id=name)],
    lambda name: [
        invite(0, name),
        answered(1, call_id=name),
        relayed()._replace(call_id=name),
        bye(at=5, call_id=name),
    ],
    lambda name: [
        invite(0, name),
        answered(1, call_id=name),
        relayed(None, None, "b", "a")._replace(call_id=name),
        relayed(0, 70_000, "b", "a")._replace(call_id=name),
        bye("b", "a", 5, name),
    ],
]


@dataclass
class Twin:
    """A journal with one kind of table."""

    kind: type[CallTableInPython]
    state: Path
    lines: Path
    now_at: float = T0
    correction_s: float = 0.0

    def __post_init__(self) -> None:
        self.journal = Journal(self.state, self.lines, MAX_CALL_S, self.now_at, self.kind)
        self.journal.correct(self.correction_s)

    def clocks(self, correction_s: float, slow_s: float) -> None:
        """The wall clock is so much ahead; that of the router, which is on another host, so much behind."""
        self.correction_s = correction_s
        self.journal.correct(correction_s)
        self.journal.told_clock(Router(0, "first"), self.now_at - slow_s, self.now_at)

    def tell(self, told: list[object], first: int) -> int:
        """Tell events, the first of which has that number; return the number of the next one."""
        numbers = count(first)
        items = [[next(numbers), *each] if isinstance(each, list) else each for each in told]
        self.take(codec.pack([0, "first", items]))
        return next(numbers)

    def take(self, body: bytes) -> None:
        """Tell what is packed. CodecError if it is not."""
        if self.journal.receive_frame(body, 0, self.now_at) is None:
            self.journal.receive(codec.unpack(body), self.now_at)

    def expire(self, after_s: float) -> None:
        self.now_at += after_s
        self.journal.expire(self.now_at)

    def known(self) -> object:
        return self.journal.calls(self.now_at), self.journal.stats(), self.journal.next_deadline_at()

    def changes(self, row: int = 1, worn: int = 0) -> Changes:
        return self.journal._table.take_changes(row, worn)

    def on_disk(self) -> object:
        """All of it, after a commit and a restart; and what was acknowledged."""
        acknowledged = self.journal.commit()
        store = self.journal._store
        assert store is not None
        rows = store._db.execute
        tables = [
            rows(f"SELECT {what} ORDER BY 1").fetchall()
            for what in ("* FROM calls", "* FROM ended", "numbers FROM head")
        ]
        self.journal.close()
        self.__post_init__()
        return acknowledged, tables, self.lines.read_bytes()


@contextmanager
def twins(state: str) -> Iterator[list[Twin]]:
    """One of each kind, their databases at `state` in directories of their own."""
    with tempfile.TemporaryDirectory() as directory:
        both = []
        for kind in TABLES:
            (place := Path(directory) / kind.__name__).mkdir()
            both.append(Twin(kind, place / state if state != IN_MEMORY else Path(state), place / "cdr.jsonl"))
        yield both
        for twin in both:
            twin.journal.close()
