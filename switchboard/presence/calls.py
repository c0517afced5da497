"""Who is in which call, as far as lamps need it: from the call events of the routers (docs/BUS.md, `call.happened`).

Theory. Nothing of it is kept: the journal has the open calls on its disk. A worker that starts, or has missed events,
asks it for them, and ends what it does not know any more. Events that came since are newer and stay. A call is known by
its Call-ID alone. A leg that is over stays for OVER_S, for the document that tells it.

The events name whom the caller has dialled. Where rules lead the call to others, routers tell whom it is led to, and in
the end who has answered (`lead`); that may come before the event that begins the call. The groups by which they are
called ("group:NAME") are told as users are. The journal knows where rules have led a call, and who has taken the call
of a group.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from switchboard.core.call_plan import Why
from switchboard.journal.events import Answered, Bye, CallEvent, Failed, Invite, Ringing
from switchboard.journal.record import Party, ends_call
from switchboard.presence.subscription import identifier

MOST: Final = 100_000
"""Calls; of more, the oldest count as over."""
MOST_LED: Final = 1_000
"""Calls that were led before they began."""
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
    """`caller`, `callees`: users of ours. `tags`: of the callees that have answered."""

    caller: str
    callees: list[str]
    began_at: float
    state: str = ""
    tags: set[str] = field(default_factory=set)

    @property
    def parties(self) -> list[tuple[str, str]]:
        """Their directions and names."""
        caller = [(INITIATOR, self.caller)] if self.caller else []
        return caller + [(RECIPIENT, user) for user in self.callees]


class Calls:
    """All calls of the moment. `user_of`: the user of ours whom a URI names, "" for none. `changed` is told of whom."""

    def __init__(self, user_of: Callable[[str], str], changed: Callable[[str], None]) -> None:
        self._user_of = user_of
        self._changed = changed
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._led: OrderedDict[str, list[str]] = OrderedDict()
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

    def lead(self, call_id: str, users: list[str], at: float) -> None:
        """These users are called now, and no others."""
        call = self._calls.get(call_id)
        if call is None:
            self._led[call_id] = users
            if len(self._led) > MOST_LED:
                self._led.popitem(last=False)
            return
        for user in call.callees:
            if user not in users:
                self._finish(call_id, RECIPIENT, user, "cancelled", at)
        call.callees = users
        if call.state != TRYING:
            self._go_on(call_id, call.state, at)

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
                if led := _led_to(each.get("forwarded")):
                    self._calls[call_id].callees = led
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
        callees = self._led.pop(call_id, None)
        if callees is None:
            callees = list(filter(None, [self._user_of(callee)]))
        self._calls[call_id] = _Call(self._user_of(caller), callees, at)
        if len(self._calls) > MOST:
            self._end(next(iter(self._calls)), {}, at)

    def _go_on(self, call_id: str, state: str, at: float) -> None:
        call = self._calls[call_id]
        call.state = state
        for side, user in call.parties:
            if state != TRYING or side == INITIATOR:
                self._put(user, Leg(identifier(call_id, side, user), side, state), at)

    def _end(self, call_id: str, events: Mapping[str, str], at: float) -> None:
        for side, user in self._calls.pop(call_id).parties:
            self._finish(call_id, side, user, events.get(side, ""), at)

    def _finish(self, call_id: str, side: str, user: str, event: str, at: float) -> None:
        name = identifier(call_id, side, user)
        if name in self._legs.get(user, {}):
            self._put(user, Leg(name, side, TERMINATED, event), at)
            self._over.append((at + OVER_S, user, name))

    def _put(self, user: str, leg: Leg, at: float) -> None:
        self.purge(at)
        self._legs.setdefault(user, {})[leg.name] = leg
        self._changed(user)


def _led_to(forwarded: Any) -> list[str]:
    """To whom rules have led a call last, by its description in the journal."""
    last = forwarded[-1] if isinstance(forwarded, list) and forwarded else {}
    to = str(last.get("to", ""))
    by = str(last.get("by", ""))
    is_taken = last.get("why") == Why.TAKEN
    return [to, by] if is_taken else [to] if to else []
