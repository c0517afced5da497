"""What people are told when rules are set: what can never work is refused, and what may surprise them is noted.

Theory. A call that comes back to somebody whom it has left already is ended there by the router, whatever the rules
say. Only what never leads anywhere is refused: a user whose calls always go round in a circle, and a group that is
among its own members. All other circles have a way out (somebody answers), so they are noted. A member
of a group who was called already, and who rings at the same time as others, is only left out: that is no circle.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from switchboard.core.call_rules import CallRules, Group, UserRules, group_of
from switchboard.core.dial_plan import DialPlan
from switchboard.sip.uri import SipUri, is_sip, parse_uri

MOST_STEPS: Final = 5_000
"""Of a walk along the rules."""
MOST_NAMED: Final = 10
"""Names in one note."""
CASES: Final = {
    "always": "always",
    "busy": "busy",
    "no_answer": "no answer",
    "unregistered": "not registered",
}

ALSO: Final = "also"


class End(NamedTuple):
    """Where a destination leads: to a user or a group of ours, to a number outside, to another domain, or nowhere."""

    kind: Literal["user", "group", "outside", "foreign", "refused"]
    name: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks ask about the rest of the switchboard. `max_forks`: as in the settings.

    `foreign_users`: who may forward to other domains; None: all.
    """

    is_known: Callable[[str], bool]
    owns: Callable[[SipUri], bool]
    dial_plan: DialPlan | None = None
    max_forks: int = 50
    foreign_users: Collection[str] | None = None

    def user_of(self, name: str) -> str:
        """The user who has this name or number."""
        return self.dial_plan.alias(name) if self.dial_plan else name

    def end_of(self, destination: str, caller: str = "") -> End:
        """Where it leads if `caller` calls it."""
        if name := group_of(destination):
            return End("group", name)
        if is_sip(destination):
            uri = parse_uri(destination)
            if not self.owns(uri):
                return End("foreign", destination)
            destination = uri.username
        if self.dial_plan is None:
            return End("user", destination)
        return self._by_plan(self.dial_plan, destination, caller)

    def _by_plan(self, plan: DialPlan, destination: str, caller: str) -> End:
        if plan.is_emergency(destination):
            return End("refused", "nobody forwards to an emergency number")
        lead = plan.find(destination, caller, self.is_known)
        if lead.status:
            return End("refused", f"{lead.status} by the rule {lead.rule} of the dial plan")
        if lead.uris:
            return End("outside", lead.uris[0])
        name = group_of(lead.user)
        return End("group", name) if name else End("user", lead.user)


def check_user(user: str, rules: UserRules, book: CallRules, around: Surroundings) -> list[str]:
    """Return what a user's new rules, which are not in the book yet, may surprise people with. ValueError, for people:
    they can never work.
    """
    if rules.says_nothing:
        return []
    unknown, notes = [] if around.is_known(user) else [user], list[str]()
    if unknown and book.group(user) is not None:
        unknown, notes = [], [f"{user} is a group, and no user: calls to that name go to the group"]
    for case, destination in cases_of(rules):
        end = _end_of(destination, user, book, around)
        if end == ("user", user):
            raise ValueError(f"{user} cannot be forwarded to {destination}, which is {user} again")
        unknown += _unknown(destination, end, around)
        notes += _notes_on(destination, end, user, book, around)
        way = _way_back(End("user", user), end, book, around) if case != ALSO else []
        if way and case == CASES["always"] and _is_sure(way, book, around):
            raise ValueError(f"the calls would go round for ever: {_shown([user, *way])}")
        if way:
            notes.append(f"{case}: {_shown([user, *way])} comes back to {user}, where the call ends")
    return _all_notes(unknown, notes)


def check_group(group: Group, book: CallRules, around: Surroundings) -> list[str]:
    """The same of a group."""
    if not group.members:
        raise ValueError(
            f"a group has members: switchboard group add {group.name} USER, or group delete {group.name}"
        )
    unknown, notes = list[str](), list(_notes_on_name(group.name, around))
    here = End("group", group.name)
    if group.then and _end_of(group.then, _named(here), book, around) == here:
        raise ValueError(f"what comes after {group.name} cannot be {group.name} again")
    ends = [_end_of(member, _named(here), book, around) for member in group.members]
    if way := _circle(group.name, ends, book, around):
        raise ValueError(f"a group cannot be a member of itself: {_shown([group.name, *way])}")
    for member, end in zip(group.members, ends, strict=True):
        unknown += _unknown(member, end, around)
        notes += _notes_on(member, end, "", book, around)
    if group.then:
        end = _end_of(group.then, _named(here), book, around)
        unknown += _unknown(group.then, end, around)
        notes += _notes_on(group.then, end, "", book, around)
        if way := _way_back(here, end, book, around):
            notes.append(
                f"then: {_shown([group.name, *way])} comes back to {group.name}, where the call ends"
            )
    if group.way == "all" and len(group.members) > around.max_forks:
        notes.append(
            f"{group.name} has {len(group.members)} members, and one call rings at {around.max_forks} phones at "
            "most (max_forks)"
        )
    return _all_notes(unknown, notes)


def _notes_on_name(name: str, around: Surroundings) -> Iterator[str]:
    if around.is_known(user := around.user_of(name)):
        yield f"calls to {name} go to the user {user}: this group is called as group:{name} only"


def cases_of(rules: UserRules) -> Iterator[tuple[str, str]]:
    """When calls go where, in words."""
    for name, words in CASES.items():
        if destination := getattr(rules, name):
            yield words, destination
    yield from ((ALSO, each) for each in rules.also)


def _all_notes(unknown: list[str], notes: list[str]) -> list[str]:
    names = list(dict.fromkeys(unknown))
    if len(names) == 1:
        notes = [f"{names[0]} is no user yet, and is not registered", *notes]
    elif names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        notes = [f"no users yet, and not registered: {', '.join(names[:MOST_NAMED])}{more}", *notes]
    return list(dict.fromkeys(notes))


def _unknown(destination: str, end: End, around: Surroundings) -> list[str]:
    return [destination] if end.kind == "user" and not around.is_known(end.name) else []


def _notes_on(
    destination: str, end: End, caller: str, book: CallRules, around: Surroundings
) -> Iterator[str]:
    match end:
        case "group", name if book.group(name) is None:
            yield f"there is no group {name} yet: switchboard group add {name} USER"
        case "foreign", _ if not caller or around.foreign_users is None or caller in around.foreign_users:
            yield f"{destination} is of another domain, which gets these calls, whoever calls"
        case "foreign", _:
            yield (
                f"{destination} is of another domain, to which {caller} may not forward (forward_foreign): callers "
                "hear 403"
            )
        case "refused", why:
            yield f"calls to {destination} are refused: {why}"


def _is_sure(way: list[str], book: CallRules, around: Surroundings) -> bool:
    """Whether each step to the last one is taken always."""
    for name, following in zip(way, way[1:], strict=False):
        rules = None if group_of(name) else book.of(name)
        if rules is None or not rules.always:
            return False
        end = _end_of(rules.always, name, book, around)
        if _named(end) != following:
            return False
    return True


def _named(end: End) -> str:
    return f"group:{end.name}" if end.kind == "group" else end.name


def _end_of(destination: str, caller: str, book: CallRules, around: Surroundings) -> End:
    """Where it leads if `caller` ("group:NAME" for a group) calls it. A group is called by its name, too."""
    end = around.end_of(destination, caller)
    is_group = end.kind == "user" and not around.is_known(end.name) and book.group(end.name) is not None
    return End("group", end.name) if is_group else end


def _way_back(start: End, first: End, book: CallRules, around: Surroundings) -> list[str]:
    """The names from `first` on by which a call comes back to the start; [] if it does not."""
    return _walk(start, [first], lambda end: _next_of(end, book, around))


def _circle(name: str, firsts: list[End], book: CallRules, around: Surroundings) -> list[str]:
    """The same, by members of groups only."""

    def members(end: End) -> list[End]:
        group = book.group(end.name) if end.kind == "group" else None
        return [_end_of(each, _named(end), book, around) for each in group.members] if group else []

    return _walk(End("group", name), firsts, members)


def _walk(start: End, firsts: list[End], following: Callable[[End], list[End]]) -> list[str]:
    before = {first: first for first in firsts}
    waiting = list(before)[::-1]
    steps = 0
    while waiting and steps < MOST_STEPS:
        end = waiting.pop()
        if end == start:
            return _names_to(end, before)
        nexts = following(end)
        steps += 1 + len(nexts)
        for each in nexts:
            if each not in before:
                before[each] = end
                waiting.append(each)
    return []


def _names_to(end: End, before: dict[End, End]) -> list[str]:
    names = [_named(end)]
    while before[end] != end:
        end = before[end]
        names.append(_named(end))
    return names[::-1]


def _next_of(end: End, book: CallRules, around: Surroundings) -> list[End]:
    if end.kind == "group":
        group = book.group(end.name)
        return [_end_of(group.then, _named(end), book, around)] if group and group.then else []
    rules = book.of(end.name) if end.kind == "user" else None
    if rules is None:
        return []
    others = rules.busy, rules.no_answer, rules.unregistered
    found = (rules.always,) if rules.always else others
    return [_end_of(each, end.name, book, around) for each in found if each]


def _shown(names: list[str]) -> str:
    return " → ".join(names)
