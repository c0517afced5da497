"""How the presence worker follows the calls: by the routers' events, and by the journal where it has missed some."""

from contextlib import suppress
from typing import Any, Final

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.rpc import connect
from switchboard.journal.events import EventError, read_event
from switchboard.presence.calls import Calls

COMPARE_EVERY_S: Final = 60.0
"""Between two looks at the journal, in case that something was missed unseen."""
AGAIN_S: Final = 2.0
"""The same after a start: what routers told a predecessor in its last instant is in the journal by then."""
ANSWER_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 1.0
HEAR_EVERY_S: Final = 0.1
"""The same while an answer is awaited."""
ABSENT_S: Final = 3.0
_QUESTION: Final = frames.pack("call.list", None)


class FollowedCalls:
    """Keeps `calls` up to date. Events bear numbers without gaps; a gap makes it ask the journal what there is."""

    def __init__(self, calls: Calls, context: BusContext, journal: Endpoint) -> None:
        self._calls = calls
        self._journal = connect(context, journal)
        self._last: dict[tuple[int, str], int] = {}
        self._next_compare = self._asked_at = self._due_at = 0.0
        self._looked_at = -ABSENT_S
        self._compares_again = True
        self.bad_events = self.compared = 0

    def take(self, router: int, series: str, events: list[Any]) -> None:
        """Take the events of a router's life `series`: those that are new."""
        known = self._last.get((router, series))
        if known is None:
            for key in [key for key in self._last if key[0] == router]:
                del self._last[key]
        for item in events:
            try:
                event = read_event(item)
            except EventError:
                self.bad_events += 1
                continue
            number = item[0]
            if known is not None and number <= known:
                continue
            if known is not None and number != known + 1:
                self._next_compare = 0.0
            known = number
            self._calls.take(event)
        if known is not None:
            self._last[router, series] = known

    def lead(self, items: list[Any], at: float) -> None:
        """Take whom routers say that calls lead to by rules. `at`: epoch s."""
        for item in items:
            match item:
                case [str(call_id), [*users]] if all(isinstance(user, str) for user in users):
                    self._calls.lead(call_id, users, at)
                case _:
                    self.bad_events += 1

    @property
    def due_at(self) -> float:
        """When `look` is to be called again (monotonic s) while somebody watches calls."""
        return self._due_at

    def look(self, now: float, at: float) -> None:
        """Hear the journal, and ask it if that is due. `now`: monotonic s, `at`: epoch s."""
        if now - self._looked_at > ABSENT_S:
            self._next_compare = now  # nobody has watched for a while, so no router has told
            self._compares_again = True
        self._looked_at = now
        self._hear(now, at)
        if now >= self._next_compare and not self._asked_at:
            self._ask(now)
        self._due_at = now + (HEAR_EVERY_S if self._asked_at else LOOK_EVERY_S)

    def _ask(self, now: float) -> None:
        self._journal.look(now)
        with suppress(zmq.Again):  # it is not there; at the next look
            self._journal.socket.send(_QUESTION, zmq.NOBLOCK)
            self._asked_at = now

    def _hear(self, now: float, at: float) -> None:
        while self._journal.socket.poll(0):
            try:
                subject, calls = frames.unpack(self._journal.socket.recv())
            except frames.FrameError:
                self.bad_events += 1
                continue
            if subject == "call.list" and isinstance(calls, list) and self._asked_at:
                self._calls.replace((each for each in calls if isinstance(each, dict)), at)
                self.compared += 1
                after_s = AGAIN_S if self._compares_again else COMPARE_EVERY_S
                self._asked_at, self._next_compare, self._compares_again = 0.0, now + after_s, False
        if self._asked_at and now - self._asked_at > ANSWER_WITHIN_S:
            self._asked_at = 0.0

    def stats(self) -> dict[str, float]:
        """Events that could not be read, and answers of the journal."""
        return {"bad_events": self.bad_events, "calls_compared": self.compared}

    def close(self) -> None:
        """Ask no more."""
        self._journal.close()
