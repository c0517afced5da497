"""The rules of users and groups: what the console's pages and its JSON API show and change, each act once.

All functions block until the registrar has answered: call them on a thread. Each change is durable when it returns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from switchboard.console.bad_user import BadUser
from switchboard.core.call_rules import CASES, GROUP, USUAL_S, UserRules
from switchboard.core.dial_plan import number_of

A_PAGE = 500
_LONGEST_NUMBER = 16
"""With its + (E.164)."""
NO_RULES: Final[Mapping[str, Any]] = UserRules().to_map()
"""Of a user whose phones ring as usual."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """Rules of a user, or a group, with notes for people. `rules`: the fields by name."""

    name: str
    rules: Mapping[str, Any]
    notes: Sequence[str] = ()


NEW_GROUP: Final = Ruled("", {"members": [], "way": "all", "after_s": USUAL_S, "then": ""})
"""What the form of a new group begins with."""


def shown_again(ruled: Ruled, typed: Mapping[str, Any] | None) -> Ruled:
    """The same with what somebody has typed, which was refused."""
    return ruled if typed is None else replace(ruled, rules=typed)


class RuleDesk:
    """Asks the registrar, which owns the rules. BadUser for what cannot be; RpcError without an answer.

    `ask`: puts a question to it.
    """

    def __init__(self, ask: Callable[[str, object], Any]) -> None:
        self._ask = ask

    def of(self, user: str) -> Ruled:
        """A user's rules."""
        return _ruled(self._ask("rules.of", user), 400)

    def change(self, user: str, changes: Mapping[str, Any]) -> Ruled:
        """Change these fields of a user's rules."""
        return _ruled(self._ask("rules.set", [user, dict(changes)]), 400)

    def some(self, prefix: str, after: str, at_most: int) -> list[Ruled]:
        """The next rules whose names begin so and follow `after`, by name; those of groups begin with "group:"."""
        found = self._ask("rules.list", [prefix, after, at_most])
        return [Ruled(each["name"], each["rules"] or NO_RULES) for each in found]

    def groups(self) -> list[Ruled]:
        """All groups, by name."""
        return [Ruled(each.name.removeprefix(GROUP), each.rules) for each in self._all(GROUP)]

    def group(self, name: str) -> Ruled:
        """The group called so."""
        return _ruled(self._ask("rules.group", name), 404)

    def put_group(self, name: str, changes: Mapping[str, Any]) -> Ruled:
        """Make a group, or change these of its fields."""
        return _ruled(self._ask("rules.group.set", [name, dict(changes)]), 400)

    def delete_group(self, name: str) -> Sequence[str]:
        """Delete a group; notes on whose rules still lead there."""
        return _ruled(self._ask("rules.group.delete", name), 404).notes

    def _all(self, prefix: str) -> Iterator[Ruled]:
        after = ""
        while page := self._ask("rules.list", [prefix, after, A_PAGE]):
            yield from (Ruled(each["name"], each["rules"]) for each in page if each["rules"])
            after = page[-1]["name"]


def _ruled(told: Mapping[str, Any], status: int) -> Ruled:
    if why := told.get("refused"):
        raise BadUser(f"Nothing was changed: {why}.", status)
    return Ruled(told["name"], told["rules"] or NO_RULES, told["notes"])


def changes_of(form: Mapping[str, str]) -> dict[str, Any]:
    """All fields of a user's rules, as a form has them. BadUser."""
    texts = {name: form.get(name, "").strip() for name in CASES}
    return {
        **texts,
        "after_s": seconds_of(form),
        "dnd": "dnd" in form,
        "also": words_of(form.get("also", "")),
    }


def typed_rules(form: Mapping[str, str]) -> dict[str, Any]:
    """The fields as a form shows them again that was refused, whatever was typed."""
    texts = {name: form.get(name, "") for name in (*CASES, "after_s")}
    return {**texts, "dnd": "dnd" in form, "also": [form.get("also", "")]}


def typed_group(form: Mapping[str, str]) -> dict[str, Any]:
    """The same of a group."""
    texts = {name: form.get(name, "") for name in ("way", "after_s", "then")}
    return {**texts, "members": [form.get("members", "")]}


def seconds_of(form: Mapping[str, str]) -> int:
    """BadUser for what is no number of seconds."""
    text = form.get("after_s", "").strip() or str(USUAL_S)
    if not text.isdecimal() or len(text) > 6:
        raise BadUser(f"Nothing was changed: {text[:20]!r} is no number of seconds.", 400)
    return int(text)


def words_of(text: str) -> list[str]:
    """Destinations with commas, lines or spaces between them. A number may have spaces, too."""
    return [word for part in text.replace(",", "\n").splitlines() for word in _words(part)]


def _words(text: str) -> list[str]:
    number = number_of(text)
    is_one = number.startswith(("0", "+")) and len(number) <= _LONGEST_NUMBER
    return [number] if is_one else text.split()
