"""What becomes of a call by the rules of users and groups: a plan of stages, made when the call begins.

Theory. A *stage* calls some callees at once, for some seconds, and names the stage that follows in each case: they
are busy, do not answer in time, are not registered, or fail otherwise. The plan is a tree of stages, stored as a list
in which a follower always comes later, so every call ends. It holds all that the rules say of this call: who changes
a rule in the meantime changes the next call. Only bindings are looked up when a stage begins.

    a user without rules     one stage, whose final response the caller hears
    forward always           the plan of the destination instead
    do not disturb           as if busy; without a destination for that, the call is refused
    busy, no answer, …       the plan of the destination follows the user's stage
    a group                  a stage for all, or one for each turn; then the plan of `then`

Members of groups, and who rings at the same time, are called at what they forward always, and not at all while they
do not want to be disturbed, or if the call has passed them or rung there. What else their rules say does not hold
there: the group says what comes next.

The right to call is that of who forwards, not of who calls: numbers go through the dial plan with the class of the
forwarding user ("group:NAME" for a group), other domains only for users who may. No forward leads to an
emergency number. A destination that was passed already is a loop, and ends the plan. A rule that leads to who calls
does not hold in that call.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol
from urllib.parse import quote

from switchboard.core.call_plan import Callee, Forward, Plan, Stage, Way, Why
from switchboard.core.call_rules import GROUP, CallRules, Group, UserRules, group_of
from switchboard.core.dial_plan import DialPlan, Lead
from switchboard.core.domains import OwnDomains
from switchboard.core.turns import Turns
from switchboard.sip.uri import is_sip, parse_uri

MOST_STAGES: Final = 60
MOST_FORWARDS: Final = 8
"""One behind the other."""
MOST_DEPTH: Final = 16
"""Groups in groups, and forwards of their members."""
MOST_LOOKED_AT: Final = 3000
"""Destinations that are looked at for one plan. A group shares what is left out to the groups in it and its members."""
_LONGEST_REASON: Final = 120


class Surroundings(Protocol):
    """What a planner needs to know besides the rules (`TargetPolicy`)."""

    @property
    def own(self) -> OwnDomains: ...
    @property
    def dial_plan(self) -> DialPlan | None: ...
    def has_user(self, user: str, at: float) -> bool: ...


class Planner:
    """Makes the plans of one router's calls. `most`: whom a call may ring at all.

    `dnd_status`: of who does not want to be disturbed. `foreign_users`: who may forward to other domains, None
    for all. `left_out`: members of groups for whom there was no place.
    """

    def __init__(
        self,
        rules: CallRules,
        around: Surroundings,
        most: int = 50,
        dnd_status: int = 480,
        foreign_users: Collection[str] | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.rules = rules
        self.turns = Turns() if turns is None else turns
        self.left_out = 0
        self.most = most
        self.dnd_status = dnd_status
        self.foreign_users = foreign_users
        self.around = around

    def concerns(self, user: str, at: float) -> bool:
        """Whether calls to `user` obey rules: his own, or those of a group which has that name."""
        if not self.rules:
            return False
        own = self.rules.of(user)
        if own is not None:
            return not own.says_nothing
        return bool(self.group_named(user, at))

    def plan(self, callee: str, caller: str, at: float) -> Plan:
        """Return the stages of a call to a user or group. `caller`: the user of ours who calls, "" for others."""
        making = _Making(self, caller, at)
        making.lead(callee, "", (), 0, ())
        return tuple(making.stages)

    def group_named(self, name: str, at: float) -> str:
        """The name of the group that is called by `name`, "" for none. Users come first."""
        group = group_of(name)
        if group:
            return group
        return "" if self.rules.group(name) is None or self.around.has_user(name, at) else name

    def may_forward_abroad(self, user: str) -> bool:
        """Whether who forwards may do so to another domain; a group is the operator's."""
        return self.foreign_users is None or user in self.foreign_users or user.startswith(GROUP)


class _Making:
    """One plan in the making."""

    def __init__(self, planner: Planner, caller: str, at: float) -> None:
        self._planner = planner
        self._caller = caller
        self._at = at
        self._called: list[Callee] = []
        self._looked_at = 0
        self._most = MOST_LOOKED_AT
        self.stages: list[Stage] = []

    def lead(self, to: str, by: str, forwards: tuple[Forward, ...], fresh: int, path: tuple[str, ...]) -> int:
        """Add the stages of a destination to which `by` leads; return the first one's place. `path`: who was passed."""
        found = self._find(to, by)
        name = found.user
        way = forwards, fresh
        if name in path:
            return self._end(way, 482, f"Call Forwarding Loop: {', '.join((*path, name))}")
        if len(forwards) > MOST_FORWARDS or len(self.stages) >= MOST_STAGES:
            return self._end(way, 482, "Too Many Forwards")
        if found.status:
            return self._end(way, found.status, found.rule)
        if found.uris:
            return self._add(Stage((Callee(uris=found.uris),), 0, *way))
        if group_name := group_of(name):
            return self._lead_group(group_name, way, (*path, name))
        return self._lead_user(name, way, (*path, name))

    def _lead_user(self, user: str, way: Way, path: tuple[str, ...]) -> int:
        rules = self._planner.rules.of(user)
        if rules is None:
            return self._add(Stage((Callee(user),), 0, *way))
        if self._leads(rules.always, user):
            return self._go_on(way, Forward(user, rules.always, Why.ALWAYS), path)
        if rules.dnd:
            if self._leads(rules.busy, user):
                return self._go_on(way, Forward(user, rules.busy, Why.DND), path)
            return self._end(way, self._planner.dnd_status, "Do Not Disturb")
        return self._ring(user, rules, way, path)

    def _ring(self, user: str, rules: UserRules, way: Way, path: tuple[str, ...]) -> int:
        callees = [Callee(user), *self._flat(rules.also, user, self._passed(path))]
        limit_s = rules.after_s if rules.no_answer else 0
        place = self._add(Stage(tuple(callees), limit_s, *way))
        absent = rules.unregistered or rules.no_answer
        forwards, before = way[0], len(self._called)
        self._called += callees
        busy, silent, absent_place = (
            self._go_on((forwards, 0), Forward(user, to, why, seconds), path) if self._leads(to, user) else 0
            for to, why, seconds in (
                (rules.busy, Why.BUSY, 0),
                (rules.no_answer, Why.NO_ANSWER, rules.after_s),
                (absent, Why.UNREGISTERED, 0),
            )
        )
        del self._called[before:]
        self.stages[place] = self.stages[place]._replace(busy=busy, silent=silent, absent=absent_place)
        return place

    def _lead_group(self, name: str, way: Way, path: tuple[str, ...]) -> int:
        group = self._planner.rules.group(name)
        if group is None:
            return self._end(way, 404, "No Such Group")
        turns, room = self._turns(group, self._passed(path)), MOST_STAGES - len(self.stages)
        self._planner.left_out += max(0, len(turns) - room)
        if turns[:room]:
            return self._take_turns(group, turns[:room], way, path)
        if self._leads(group.then, path[-1]):
            return self._go_on(way, Forward(path[-1], group.then, Why.GROUP), path)
        why = "Too Many Members" if self._looked_at >= self._most else "Nobody In The Group Can Be Called"
        return self._end(way, 480, why)

    def _take_turns(
        self, group: Group, turns: list[tuple[list[Callee], int]], way: Way, path: tuple[str, ...]
    ) -> int:
        places = [
            self._add(Stage(tuple(callees), seconds, way[0], 0 if number else way[1]))
            for number, (callees, seconds) in enumerate(turns)
        ]
        before, after = len(self._called), 0
        self._called += [callee for callees, _ in turns for callee in callees]
        if self._leads(group.then, path[-1]):
            after = self._go_on((way[0], 0), Forward(path[-1], group.then, Why.GROUP, group.after_s), path)
        del self._called[before:]
        for place, follower in zip(places, [*places[1:], after], strict=True):
            self.stages[place] = self.stages[place]._replace(
                busy=follower, silent=follower, absent=follower, failed=follower
            )
        return places[0]

    def _leads(self, to: str, by: str) -> bool:
        """Whether a rule leads on: there is a destination, and it is not who calls."""
        return bool(to) and not (self._caller and self._find(to, by).user == self._caller)

    def _go_on(self, way: Way, forward: Forward, path: tuple[str, ...]) -> int:
        forwards, fresh = way
        return self.lead(forward.to, forward.by, (*forwards, forward), fresh + 1, path)

    def _passed(self, path: tuple[str, ...]) -> set[str]:
        """Who is called by no group, and rings at the same time as nobody, any more: the call was there."""
        return {*path, *(callee.user or callee.uris[0] for callee in self._called)}

    def _turns(self, group: Group, passed: set[str], depth: int = 0) -> list[tuple[list[Callee], int]]:
        """Who is called one after the other, and for how many seconds. `passed`: names, each is called once."""
        passed.add(GROUP + group.name)
        if group.way == "all":
            callees = self._flat_group(group, passed)
            return [(callees, group.after_s)] if callees else []
        turns: list[tuple[list[Callee], int]] = []
        with self._part(2):
            names = self._names_of(group)
        inner_left = len([each for each in names if group_of(each)])
        ordered = self._planner.turns.ordered(group, names)
        for place, member in enumerate(ordered):
            if self._looked_at >= self._most or len(turns) >= MOST_STAGES:
                self._planner.left_out += len(ordered) - place
                break
            inner = self._planner.rules.group(group_of(member)) if group_of(member) else None
            if inner is None:
                callees = self._flat([member], GROUP + group.name, passed)
                turns += [(callees, group.after_s)] if callees else []
            elif GROUP + inner.name not in passed and depth < MOST_DEPTH:
                with self._part(inner_left + 1):
                    turns += self._turns(inner, passed, depth + 1)
                inner_left -= 1
        name = GROUP + group.name
        return [([callee.through(name) for callee in callees], seconds) for callees, seconds in turns]

    @contextmanager
    def _part(self, parts: int) -> Iterator[None]:
        """Look at no more within than at this part of what may be looked at yet."""
        most = self._most
        self._most = self._looked_at + max(0, most - self._looked_at) // parts
        yield
        self._looked_at = min(self._looked_at, self._most)  # what was refused was not looked at
        self._most = most

    def _names_of(self, group: Group) -> dict[str, str]:
        """The members of a group, by what its destinations mean: users, groups, or what leads outside."""
        found = {}
        for member in group.members:
            lead = self._find(member, GROUP + group.name)
            name = lead.user if lead.user else member
            found[name] = name if group_of(name) else member
        return found

    def _flat(self, destinations: Sequence[str], by: str, passed: set[str], depth: int = 0) -> list[Callee]:
        """Whom destinations mean that are called at once, each once, and no more than a call may ring."""
        found: list[Callee] = []
        inner_left = len([each for each in destinations if group_of(each)])
        for destination in destinations:
            if len(found) >= self._planner.most or depth > MOST_DEPTH:
                self._planner.left_out += 1
            elif not group_of(destination):
                found += self._flat_one(destination, by, passed, depth + 1)
            else:
                with self._part(inner_left + 1):
                    found += self._flat_one(destination, by, passed, depth + 1)
                inner_left -= 1
        return found[: self._planner.most]

    def _flat_group(self, group: Group, passed: set[str], depth: int = 0) -> list[Callee]:
        name = GROUP + group.name
        return [callee.through(name) for callee in self._flat(group.members, name, passed, depth)]

    def _flat_one(self, destination: str, by: str, passed: set[str], depth: int) -> list[Callee]:
        lead = self._find(destination, by)
        name = lead.uris[0] if lead.uris else lead.user
        if lead.status or name in passed or name == self._caller:
            return []
        passed.add(name)
        if lead.uris:
            return [Callee(uris=lead.uris)]
        if name := group_of(lead.user):
            group = self._planner.rules.group(name)
            return self._flat_group(group, passed, depth) if group else []
        rules = self._planner.rules.of(lead.user)
        if rules is None:
            return [Callee(lead.user)]
        if rules.always:
            return self._flat([rules.always], lead.user, passed, depth)
        if rules.dnd:
            return []
        return [Callee(lead.user), *self._flat(rules.also, lead.user, passed, depth)]

    def _find(self, to: str, by: str) -> Lead:
        """Whom a destination means: a user ("group:NAME" for a group), URIs outside, or why it may not be called."""
        planner = self._planner
        self._looked_at += 1
        if self._looked_at > self._most:
            return Lead(status=482, rule="Too Many Members")
        name = to
        if is_sip(to):
            uri = parse_uri(to)
            if not planner.around.own.owns(uri):
                if planner.may_forward_abroad(by):
                    return Lead(uris=(to,))
                return Lead(status=403, rule="Forwarding To Another Domain Not Allowed")
            name = uri.username
        if group := planner.group_named(name, self._at):
            return Lead(user=GROUP + group)
        return self._dial(name, by) if by else Lead(user=name)

    def _dial(self, name: str, by: str) -> Lead:
        """The same by the dial plan, with the class of who forwards."""
        around = self._planner.around
        if around.dial_plan is None:
            return Lead(user=name)
        if around.dial_plan.is_emergency(name):
            return Lead(status=403, rule="Forwarding To An Emergency Number Not Allowed")
        lead = around.dial_plan.find(name, by, lambda user: around.has_user(user, self._at))
        return lead._replace(rule=f"Dial Plan: {lead.rule}") if lead.status else lead

    def _add(self, stage: Stage) -> int:
        self.stages.append(stage)
        return len(self.stages) - 1

    def _end(self, way: Way, status: int, reason: str) -> int:
        """Nobody is called there."""
        return self._add(
            Stage((), 0, *way, status=status, reason=quote(reason, safe=" ,:.-+")[:_LONGEST_REASON])
        )
