"""Who is in which call, as far as lamps need it: from the call events of the routers (docs/BUS.md, `call.happened`).

Theory. Nothing of it is kept: the journal has the open calls on its disk. A worker that starts, or has missed events,
asks it for them, and ends what it does not know any more. Events that came since are newer and stay. A call is known by
its Call-ID alone. A leg that is over stays for OVER_S, for the document that tells it.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from switchboard.journal.events import Answered, Bye, CallEvent, Failed, Invite, Ringing
from switchboard.journal.record import Party, ends_call
from switchboard.presence.subscription import identifier

MOST: Final = 100_000
"""Calls; of more, the oldest count as over."""
OVER_S: Final = 5.0
NEWS_S: Final = 5.0
"""A call that began so shortly before may not be in the journal's answer yet."""
INITIATOR, RECIPIENT = "initiator", "recipient"
TRYING, EARLY, CONFIRMED, TERMINATED = "trying", "early", "confirmed", "terminated"
_STATES: Final = {"calling": TRYING, "ringing": EARLY, "up": CONFIRMED}
_CHALLENGES: Final = (401, 407)


class Leg(NamedTuple):
    """A user's part in a call, in the words of RFC 4235 §3.7.1. `event`: why it is over."""

    name: str
    direction: str
    state: str
    event: str = ""


@dataclass(slots=True)
class _Call:
    """`parties`: users of ours by direction. `tags`: of the callees that have answered."""

    parties: dict[str, str]
    began_at: float
    state: str = ""
    tags: set[str] = field(default_factory=set)


class Calls:
    """All calls of the moment. `user_of`: the user of ours whom a URI names, "" for none. `changed` is told of whom."""

    def __init__(self, user_of: Callable[[str], str], changed: Callable[[str], None]) -> None:
        self._user_of = user_of
        self._changed = changed
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._legs: dict[str, dict[str, Leg]] = {}
        self._over: deque[tuple[float, str, str]] = deque()

    def __len__(self) -> int:
        return len(self._calls)

    def legs(self, user: str) -> tuple[Leg, ...]:
        """His parts in calls."""
        return tuple(self._legs.get(user, {}).values())

    def take(self, event: CallEvent) -> None:
        """Something has happened to a call."""
        call_id = event.call_id
        call = self._calls.get(call_id)
        if isinstance(event, Invite):
            if call is None:
                self._begin(call_id, event.caller, event.callee, event.at)
                self._go_on(call_id, TRYING, event.at)
        elif call is None:
            return
        elif isinstance(event, Ringing):
            if call.state == TRYING:
                self._go_on(call_id, EARLY, event.at)
        elif isinstance(event, Answered):
            call.tags.add(event.to_tag)
            self._go_on(call_id, CONFIRMED, event.at)
        elif isinstance(event, Failed):
            if call.state != CONFIRMED and event.status not in _CHALLENGES:
                why = "cancelled" if event.by is Party.CALLER else "rejected"
                self._end(call_id, {INITIATOR: why, RECIPIENT: why}, event.at)
        elif isinstance(event, Bye):
            self._hang_up(call_id, call, event)

    def _hang_up(self, call_id: str, call: _Call, event: Bye) -> None:
        if not ends_call(event.status):
            return
        by_callee = event.from_tag in call.tags
        call.tags -= {event.from_tag, event.to_tag}
        if not call.tags:
            sides = (RECIPIENT, INITIATOR) if by_callee else (INITIATOR, RECIPIENT)
            self._end(call_id, dict(zip(sides, ("local-bye", "remote-bye"), strict=True)), event.at)

    def replace(self, described: Iterable[Mapping[str, Any]], at: float) -> None:
        """The journal has these open calls, as `call.list` describes them, and no others."""
        known = set()
        for each in described:
            call_id, state = str(each.get("call_id")), _STATES.get(str(each.get("state")), TRYING)
            known.add(call_id)
            if call_id not in self._calls:
                self._begin(call_id, str(each.get("caller")), str(each.get("callee")), at - NEWS_S)
                self._go_on(call_id, state, at)
        gone = [
            each for each, call in self._calls.items() if each not in known and call.began_at < at - NEWS_S
        ]
        for call_id in gone:
            self._end(call_id, {}, at)

    def purge(self, at: float) -> None:
        """Forget legs that are over. Nobody has to be told."""
        while self._over and self._over[0][0] <= at:
            _, user, name = self._over.popleft()
            legs = self._legs.get(user, {})
            if name in legs and legs[name].state == TERMINATED:
                del legs[name]
            if not legs:
                self._legs.pop(user, None)

    def _begin(self, call_id: str, caller: str, callee: str, at: float) -> None:
        parties = {INITIATOR: self._user_of(caller), RECIPIENT: self._user_of(callee)}
        self._calls[call_id] = _Call({side: user for side, user in parties.items() if user}, at)
        if len(self._calls) > MOST:
            self._end(next(iter(self._calls)), {}, at)

    def _go_on(self, call_id: str, state: str, at: float) -> None:
        call = self._calls[call_id]
        call.state = state
        for side, user in call.parties.items():
            if state != TRYING or side == INITIATOR:
                self._put(user, Leg(identifier(call_id, side), side, state), at)

    def _end(self, call_id: str, events: Mapping[str, str], at: float) -> None:
        call = self._calls.pop(call_id)
        for side, user in call.parties.items():
            name = identifier(call_id, side)
            if name in self._legs.get(user, {}):
                self._put(user, Leg(name, side, TERMINATED, events.get(side, "")), at)
                self._over.append((at + OVER_S, user, name))

    def _put(self, user: str, leg: Leg, at: float) -> None:
        self.purge(at)
        self._legs.setdefault(user, {})[leg.name] = leg
        self._changed(user)
