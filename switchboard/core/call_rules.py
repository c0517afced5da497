"""Who is called when: what a user wants done with calls that come, and groups of users that are called together.

A *destination* is whom a rule leads to, as people write it: a user ("lukas"), a number or extension ("101",
"+421905123456"), a group ("group:office"), or a SIP URI ("sip:user@host"). "" is none.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

from switchboard.core.dial_plan import number_of
from switchboard.sip.errors import ParseError
from switchboard.sip.uri import is_sip, parse_uri

GROUP: Final = "group:"
WAYS: Final = ("all", "turn", "rotate", "idle")
SHORTEST_S: Final = 1
LONGEST_S: Final = 180
"""Seconds that somebody may ring before the call goes on; phones and timer C (185 s) end it a little later anyway."""
USUAL_S: Final = 20
MOST_ALSO: Final = 10
MOST_MEMBERS: Final = 1000
CASES: Final = ("always", "busy", "no_answer", "unregistered")
"""Of a user's rules: each has one destination."""
NO_FORWARDS: Final[Mapping[str, Any]] = {**dict.fromkeys(CASES, ""), "also": []}
"""The fields of rules that lead calls elsewhere, none of which does."""
_LONGEST: Final = 255
_NAME: Final = re.compile(r"[^\W_][\w.-]{0,63}")
_PLAIN: Final = re.compile(r"[^\s\x00-\x1f\x7f<>\"@:;?,]+")


@dataclass(frozen=True, slots=True)
class UserRules:
    """What one user wants. `always`, `busy`, `no_answer`, `unregistered`: destinations of calls in that case.

    `no_answer` comes after `after_s` seconds of ringing. `dnd`: nobody rings. `also`: who rings at the same time.
    ValueError, in words, for what nobody can want.
    """

    always: str = ""
    busy: str = ""
    no_answer: str = ""
    unregistered: str = ""
    after_s: int = USUAL_S
    dnd: bool = False
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for case in CASES:
            check_destination(getattr(self, case))
        _check_all(self.also, MOST_ALSO, "destinations that ring at the same time")
        _check_seconds(self.after_s)

    @property
    def says_nothing(self) -> bool:
        """Whether calls go as if there were no rules."""
        return replace(self, after_s=USUAL_S) == UserRules()

    def to_map(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self) | {"also": list(self.also)}

    def to_wire(self) -> list[Any]:
        """The fields in their order."""
        return list(self.to_map().values())

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> "UserRules":
        """What `to_wire` returned. ValueError."""
        always, busy, no_answer, unregistered, after_s, dnd, also = wire
        return cls(always, busy, no_answer, unregistered, after_s, dnd, tuple(also))


@dataclass(frozen=True, slots=True)
class Group:
    """Destinations that are called together. ValueError, in words, for what is no group.

    `way`: "all" at once; in "turn", in their order; "rotate" begins with the next member each call; "idle" has who has
    not spoken for longest first. Each turn, or all of them, rings for `after_s` seconds; `then` gets the call at the
    end.
    """

    name: str
    members: tuple[str, ...]
    way: str = "all"
    after_s: int = USUAL_S
    then: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_all(self.members, MOST_MEMBERS, "members")
        if self.way not in WAYS:
            raise ValueError(f"{self.way!r} is no way to call a group: all, turn, rotate, idle")
        _check_seconds(self.after_s)
        check_destination(self.then)

    def to_map(self) -> dict[str, Any]:
        """The fields by their names, without that of the group."""
        return {"members": list(self.members), "way": self.way, "after_s": self.after_s, "then": self.then}

    def to_wire(self) -> list[Any]:
        """The fields in their order."""
        return [self.name, *self.to_map().values()]

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> "Group":
        """What `to_wire` returned. ValueError."""
        name, members, way, after_s, then = wire
        return cls(name, tuple(members), way, after_s, then)


class CallRules(Protocol):
    """The rules as a router sees them. False: there is no rule and no group at all."""

    def __bool__(self) -> bool: ...
    def of(self, user: str) -> UserRules | None: ...
    def group(self, name: str) -> Group | None: ...


class StaticRules:
    """Rules that a mapping holds, and no rules by default."""

    def __init__(self, users: dict[str, UserRules] | None = None, groups: Sequence[Group] = ()) -> None:
        self.users = users or {}
        self.groups = {group.name: group for group in groups}

    def __bool__(self) -> bool:
        return bool(self.users or self.groups)

    def of(self, user: str) -> UserRules | None:
        return self.users.get(user)

    def group(self, name: str) -> Group | None:
        return self.groups.get(name)


def group_of(destination: str) -> str:
    """The name of the group that a destination is; "" if it is none."""
    return destination.removeprefix(GROUP) if destination.startswith(GROUP) else ""


def plain(destination: str) -> str:
    """A destination as rules have it: a number that was written with spaces, without its separators."""
    has_digits_only = " " in destination and not any(map(str.isalpha, destination))
    return (number_of(destination) if has_digits_only else "") or destination


def check_name(name: str) -> None:
    """ValueError, in words, unless a group may be called that."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a group: a letter or digit, then letters, digits, '.', '_', '-'"
        )


def check_destination(text: str) -> None:
    """ValueError, in words, unless it is "" or a destination."""
    if not text:
        return
    if len(text) > _LONGEST:
        raise ValueError(f"a destination has at most {_LONGEST} characters, not {len(text)}")
    if text.startswith(GROUP):
        check_name(text.removeprefix(GROUP))
    elif is_sip(text):
        _check_uri(text)
    elif not _PLAIN.fullmatch(text):
        raise ValueError(f"{text!r} is no destination: a user, a number, group:NAME or sip:USER@HOST")


def _check_uri(text: str) -> None:
    try:
        uri = parse_uri(text)
    except ParseError as error:
        raise ValueError(f"{text!r} is no SIP URI") from error
    if not (uri.has_host and uri.username) or uri.headers or uri.param("method") is not None:
        raise ValueError(f"{text!r} names no user at a host")


def _check_all(destinations: Sequence[str], most: int, what: str) -> None:
    if len(destinations) > most:
        raise ValueError(f"at most {most} {what}, not {len(destinations)}")
    for destination in destinations:
        if not destination:
            raise ValueError(f"an empty name is not among {what}")
        check_destination(destination)


def _check_seconds(after_s: int) -> None:
    if not SHORTEST_S <= after_s <= LONGEST_S:
        raise ValueError(f"somebody may ring for {SHORTEST_S} to {LONGEST_S} seconds, not {after_s}")
