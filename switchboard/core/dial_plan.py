"""The dial plan: whom a number means, and where numbers go that no user has (RFC 3966, E.164).

Theory. What is dialled is looked for in this order, and the first that fits decides:

    an emergency number                 goes where emergency calls go, whoever of our users dials it
    a number of a user                  is that user (`[users.NAME] numbers`)
    the name of a user who is known     is that user
    the rules, in their order           each with a pattern, the classes of users who may, and where it leads

A rule takes `strip` characters off the front, puts `prepend` before the rest, and sends the call to a gateway, to a
user, or refuses it. A rule for other classes than the caller's is passed over; if no other rule fits then, the caller
is refused with 403, since the number exists for others.

A pattern is made of digits and `+`, of `X` for any digit, `[1-5]` or `[136]` for some, and of `*` at its end for any
rest. Visual separators (`-`, `.`, `(`, `)`, and spaces) in what is dialled do not count (RFC 3966 §5.1.1).

Where the plan knows its country, numbers of users and the rules see what is dialled in one form (`e164.py`), however it
was written. Emergency numbers and names are compared as they are dialled.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from switchboard.core.e164 import same

_NUMBER: Final = re.compile(r" *\+?[0-9*#A-Da-d(). -]+")
_SEPARATORS: Final = str.maketrans("", "", "-.() ")
_PART: Final = re.compile(r"[0-9+#A-D]|X|\[[0-9]+(?:-[0-9])?[0-9]*\]")
_MOST_DIGITS: Final = 64
"""Of a number; longer ones are names."""


class Rule(NamedTuple):
    """One rule. `uris`: gateways ("sip:HOST…"), none if `user` or `status` says where it leads."""

    name: str
    pattern: re.Pattern[str]
    strip: int = 0
    prepend: str = ""
    uris: tuple[str, ...] = ()
    user: str = ""
    status: int = 0
    classes: frozenset[str] = frozenset()


class Lead(NamedTuple):
    """Where what was dialled leads: to a `user`, to `uris` outside, or nowhere (`status`). `rule`: what says so.

    The first of the `uris` gets the call, another one if those before it cannot be reached or fail.
    """

    user: str = ""
    uris: tuple[str, ...] = ()
    status: int = 0
    rule: str = ""


class Step(NamedTuple):
    """One look at the plan, for people: what was looked at, and what came of it."""

    rule: str
    found: str


@dataclass(slots=True)
class DialPlan:
    """All of it. `emergency_uris`: gateways of `emergency` numbers. `numbers`: whose each is. `classes`: of users.

    `normal` makes one form of a number without separators, in which `numbers` are, too.
    """

    rules: tuple[Rule, ...] = ()
    emergency: frozenset[str] = frozenset()
    emergency_uris: tuple[str, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    normal: Callable[[str], str] = same

    def is_emergency(self, dialled: str) -> bool:
        """Whether it is an emergency number."""
        return number_of(dialled) in self.emergency

    def alias(self, dialled: str) -> str:
        """Return the user who has the number; what was dialled itself if nobody has it."""
        return self.numbers.get(self.normal(number_of(dialled)), dialled)

    def class_of(self, caller: str) -> str:
        """The class of a user, who may be named by a number; "" for none."""
        return self.classes.get(self.alias(caller), "")

    def find(
        self, dialled: str, caller: str, is_known: Callable[[str], bool], steps: list[Step] | None = None
    ) -> Lead:
        """Return where the call of `caller` leads. `is_known`: whether a user has that name. `steps` gets the way."""
        return self.find_for(dialled, self.class_of(caller), is_known, steps)

    def find_for(
        self, dialled: str, its_class: str, is_known: Callable[[str], bool], steps: list[Step] | None = None
    ) -> Lead:
        """The same for any caller of a class."""
        number = number_of(dialled)
        if number in self.emergency:
            return _told(steps, "emergency", Lead(uris=_at(self.emergency_uris, number), rule="emergency"))
        if (normal := self.normal(number)) != number:
            _note(steps, "country", normal)
        if normal in self.numbers:
            return _told(steps, "numbers", Lead(user=self.numbers[normal], rule="numbers"))
        for name in dict.fromkeys((dialled, normal or dialled)):
            if is_known(name):
                return _told(steps, "users", Lead(user=name))
        return self._by_rules(normal, its_class, steps) or Lead(user=dialled)

    def _by_rules(self, number: str, its_class: str, steps: list[Step] | None) -> Lead | None:
        status = 0
        for rule in self.rules if number else ():
            if not rule.pattern.fullmatch(number):
                _note(steps, rule.name, "does not fit")
            elif rule.classes and its_class not in rule.classes:
                _note(steps, rule.name, f"is for {', '.join(sorted(rule.classes))} only")
                status = 403
            else:
                return _told(steps, rule.name, _lead(rule, number))
        return Lead(status=status, rule="rules") if status else None


def _lead(rule: Rule, number: str) -> Lead:
    if rule.status:
        return Lead(status=rule.status, rule=rule.name)
    if rule.user:
        return Lead(user=rule.user, rule=rule.name)
    return Lead(uris=_at(rule.uris, rule.prepend + number[rule.strip :]), rule=rule.name)


def _at(gateways: Iterable[str], number: str) -> tuple[str, ...]:
    """The number at each gateway (RFC 3261 §19.1.6)."""
    parts = (gateway.partition(":") for gateway in gateways)
    return tuple(f"{scheme}:{number}@{rest};user=phone" for scheme, _, rest in parts)


def _told(steps: list[Step] | None, rule: str, lead: Lead) -> Lead:
    refused = f"refused with {lead.status}" if lead.status else ""
    _note(steps, rule, refused or ", then ".join(lead.uris) or f"user {lead.user}")
    return lead


def _note(steps: list[Step] | None, rule: str, found: str) -> None:
    if steps is not None:
        steps.append(Step(rule, found))


def number_of(dialled: str) -> str:
    """Return the number without visual separators, "" for what is none.

    Parameters of a number in the user part of a SIP URI (`0905123456;npdi`, RFC 3261 §19.1.6) are left out.
    """
    dialled = dialled.partition(";")[0]
    if len(dialled) > _MOST_DIGITS or not _NUMBER.fullmatch(dialled):
        return ""
    return dialled.translate(_SEPARATORS).upper()


def pattern_of(text: str) -> re.Pattern[str]:
    """Read a pattern; ValueError for what is none."""
    body, is_open = (text[:-1], True) if text.endswith("*") else (text, False)
    parts = _PART.findall(body)
    written = "".join(
        "[0-9]" if part == "X" else part if part[0] == "[" else re.escape(part) for part in parts
    )
    try:
        if text and "".join(parts) == body:
            return re.compile(written + (".*" if is_open else ""))
    except re.error:  # [5-1]
        pass
    raise ValueError(f"{text!r} is no pattern: digits, + and #, X, [1-5], and * at the end")


def sip_of_tel(text: str, host: str) -> str:
    """Return the SIP URI of ours for a `tel:` URI (RFC 3261 §19.1.6, RFC 3966); the text itself if it is none.

    `host`: a name or address of ours, as it stands in a URI.
    """
    scheme, _, rest = text.partition(":")
    if scheme.lower() != "tel":
        return text
    number = number_of(rest)
    return f"sip:{number}@{host};user=phone" if number else text


def numbers_of(users: Mapping[str, Iterable[str]], normal: Callable[[str], str] = same) -> dict[str, str]:
    """Return whose each number is, in its `normal` form; ValueError if it is no number, or of two users."""
    owners: dict[str, str] = {}
    for user, numbers in users.items():
        for number in map(str, numbers):
            key = normal(number_of(number))
            if not key:
                raise ValueError(f"users.{user}: {number!r} is no number")
            if owners.setdefault(key, user) != user:
                raise ValueError(f"number {number} is of {owners[key]} and of {user}")
    return owners
