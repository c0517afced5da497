"""The rules of users and groups as a router knows them, kept up to date by numbered changes (docs/BUS.md, rules.*).

Theory. A router starts with the rules of 100,000 users in a fraction of a second, and asks for few of them. So they
stay the texts that the store has until somebody asks.
"""

import json
from collections.abc import Callable, Collection
from typing import TypeVar

from switchboard.core.call_rules import CASES, GROUP, Group, UserRules
from switchboard.registrar.rule_store import RuleRecord, read_body
from switchboard.storage.records import Page

Rules = TypeVar("Rules", UserRules, Group)


def _tell_nobody(_names: Collection[str]) -> None:
    """Nobody waits for it."""


class RuleReplica:
    """See `CallRules`. `tell` hears whose rules have changed: users, and "group:" with names of groups."""

    def __init__(self, tell: Callable[[Collection[str]], None] = _tell_nobody) -> None:
        self.tell = tell
        self.series = ""
        """Of the store that they are from; "": of none yet."""
        self.number = 0
        """The last change's that is in here."""
        self.unreadable = 0
        """Rules that this program could not understand, and that count as none."""
        self._found: dict[str, str | UserRules | Group] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def of(self, user: str) -> UserRules | None:
        """The rules of a user; None if there are none."""
        return self._get(user, UserRules) if user in self._found and not user.startswith(GROUP) else None

    def group(self, name: str) -> Group | None:
        """The group called so; None if there is none."""
        key = GROUP + name
        return self._get(key, Group) if key in self._found else None

    def naming(self, destination: str) -> list[str]:
        """Whose rules have this destination."""
        text = json.dumps(destination, ensure_ascii=False)
        return [name for name in list(self._found) if self._names(name, destination, text)]

    def apply(self, page: Page[RuleRecord]) -> bool:
        """Take what changed; False if it does not follow what is in here."""
        changed = {each.name for each in page.records}
        if page.after == 0:
            changed |= self._found.keys()
            self._found.clear()
            self.number, self.series = 0, page.series
        elif (page.series, page.after) != (self.series, self.number):
            return False
        for each in page.records:
            if each.is_removed:
                self._found.pop(each.name, None)
            else:
                self._found[each.name] = each.body
            self.number = each.number
        if changed:
            self.tell(changed)
        return True

    def _get(self, key: str, kind: type[Rules]) -> Rules | None:
        found = self._found[key]
        if isinstance(found, str):
            try:
                found = read_body(key, found)
            except ValueError:
                self.unreadable += 1
                del self._found[key]
                return None
            self._found[key] = found
        return found if isinstance(found, kind) else None

    def _names(self, name: str, destination: str, text: str) -> bool:
        found = self._found[name]
        if isinstance(found, str) and text not in found:
            return False
        is_group = name.startswith(GROUP)
        rules: UserRules | Group | None
        rules = self._get(name, Group) if is_group else self._get(name, UserRules)
        return rules is not None and destination in destinations_of(rules)


def destinations_of(rules: UserRules | Group) -> list[str]:
    """All destinations that rules name."""
    if isinstance(rules, Group):
        return list(filter(None, (*rules.members, rules.then)))
    return list(filter(None, (*(getattr(rules, case) for case in CASES), *rules.also)))
