"""Sends the messages of a call to the router that holds it, while the set of routers in service changes.

Theory. The Call-ID chooses the router. With another set of routers it may choose another one, although the transactions
of the call are still with the first. So when the set changes, or routers are found that are to end, the edge asks all
routers once a second for the calls that they hold for others (`core/held_calls.py`), and sends their messages there.
The new set is in force when all have answered. When no router holds such a call, the change is over.

The set is written to a file, from which the next process of the edge starts; during a change the file says so, and the
next process asks before it reads from the network.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from switchboard.busy import EVERY_S, still_busy
from switchboard.core.held_calls import unpack_sums
from switchboard.sip.dispatch import Dispatcher

FIRST_ANSWERS_WITHIN_S: Final = 3.0
"""A router that is starting needs less; one that is away for longer delays no other."""
ASK_EVERY_S: Final = 1.0
COLLECT_EVERY_S: Final = 0.05
"""While the first answers are awaited."""
ANSWERS: Final = 2
"""A call is not held if this number of answers in a row says so: one may have crossed a request on its way."""
_KEPT: Final = re.compile(r"in service:((?: [0-9]{1,3})+)\n")


class Group(Protocol):
    """A question to all routers (`bus/rpc.py`, `RpcGroup`)."""

    answers: dict[str, Any]

    def ask(self) -> None: ...
    def ask_rest(self) -> None: ...
    def collect(self) -> None: ...
    def wait(self, timeout_s: float) -> None: ...
    def close(self) -> None: ...


Ask = Callable[[Mapping[str, int], frozenset[int]], Group]
"""Opens the question to these routers, numbers by name, with those that are to take new calls."""


class HeldCalls:
    """Keeps the dispatcher's `held`, the router of each call by `call_id_sum`, up to date. `now`: monotonic s.

    `wanted`: the routers that are to take new calls; at first those of them that did so before, if any.
    `leaving`: the numbers of others that are there. `path`: where the set is kept.
    """

    def __init__(self, dispatcher: Dispatcher, leaving: Iterable[int], path: Path, ask: Ask) -> None:
        self._dispatcher, self._path, self._ask = dispatcher, path, ask
        self._group: Group | None = None
        self._numbers: Mapping[str, int] = {}
        self._answers: dict[str, list[set[int]]] = {}  # the last two of each
        self._unheard: set[str] = set()  # they have not answered the question of now
        self._served_at = 0.0
        self.next_at = math.inf
        before = self._before()
        self.wanted = (before or dispatcher.routers) & dispatcher.routers or dispatcher.routers
        dispatcher.serve(self.wanted)
        if leaving or before not in (None, self.wanted):
            self._open(self.wanted.union(leaving, before or ()))

    @property
    def is_changing(self) -> bool:
        """Whether somebody may hold calls that go to another router by their Call-ID."""
        return self._group is not None

    def start(self, now: float) -> None:
        """Wait for the first answers."""
        if self._group is None:
            self._keep()
            return
        until = FIRST_ANSWERS_WITHIN_S
        while until > 0 and len(self._group.answers) < len(self._numbers):
            still_busy()
            self._group.wait(min(until, EVERY_S))
            until -= EVERY_S
        self._take(self._group, now)

    def change(self, routers: Iterable[int], asked: Iterable[int], now: float) -> None:
        """Let these take new calls, as soon as those `asked` have said what they hold.

        A router that takes calls now and is not asked is gone: it gets none from this moment.
        """
        self.wanted = frozenset(routers)
        asked = frozenset(asked)
        self._dispatcher.serve(self._dispatcher.routers & asked or self.wanted)
        self._open(asked).ask()
        self._lead()
        self._served_at = now + FIRST_ANSWERS_WITHIN_S
        self.next_at = now + COLLECT_EVERY_S

    def handle_timer(self, now: float) -> None:
        """Take what was answered, and ask again."""
        if now >= self.next_at and self._group is not None:
            self._group.collect()
            self._take(self._group, now)

    def note(self) -> str:
        """For people: that calls are led to where they are held; "" if none are."""
        if self._group is None:
            return ""
        held = len(self._dispatcher.held)
        return f"the set of routers has changed; calls that go to the router which holds them: {held}"

    def close(self) -> None:
        """Let go of the sockets."""
        if self._group is not None:
            self._group.close()
            self._group = None

    def _open(self, asked: Iterable[int]) -> Group:
        """What somebody held a moment ago stays known until he answers."""
        self.close()
        self._write("changing\n")
        self._numbers = named(asked)
        known = {name: each for name, each in self._answers.items() if any(each)}
        self._answers = {name: known.get(name, [])[-1:] for name in self._numbers}
        self._unheard = set(self._numbers)
        self._group = self._ask(self._numbers, self.wanted)
        return self._group

    def _take(self, group: Group, now: float) -> None:
        for name, answer in group.answers.items():
            self._unheard.discard(name)
            with suppress(ValueError, TypeError):  # one that does not know the question, or refuses it
                self._answers[name] = [*self._answers[name], unpack_sums(answer)][-ANSWERS:]
        group.answers.clear()
        self._lead()
        if self._dispatcher.routers != self.wanted:
            self._serve(group, now)
        elif all(each == [set()] * ANSWERS for each in self._answers.values()):
            self.next_at = math.inf
            self.close()
            self._keep()
        else:
            group.ask()
            self.next_at = now + ASK_EVERY_S

    def _serve(self, group: Group, now: float) -> None:
        """Put the new set in force, if it is time; then ask at once what has begun meanwhile."""
        self.next_at = now + COLLECT_EVERY_S
        if self._unheard and now < self._served_at:
            group.ask_rest()
            return
        self._dispatcher.serve(self.wanted)
        group.ask()

    def _lead(self) -> None:
        """What was held a moment ago is led there, too, since more of it may have been under way."""
        held = self._dispatcher.held
        held.clear()
        for name, answers in self._answers.items():
            held.update(dict.fromkeys(set[int]().union(*answers), self._numbers[name]))

    def _before(self) -> frozenset[int] | None:
        """Who took calls when this was over last: nobody knows if it was not over; None if there was no time before."""
        try:
            found = _KEPT.fullmatch(self._path.read_text())
        except (OSError, ValueError):
            return None
        return frozenset(map(int, found[1].split())) if found else frozenset()

    def _keep(self) -> None:
        self._write(f"in service: {' '.join(map(str, sorted(self.wanted)))}\n")

    def _write(self, text: str) -> None:
        """A disk that is full keeps another text, or none: then all are asked once more."""
        with suppress(OSError):
            self._path.write_text(text)


def named(routers: Iterable[int]) -> dict[str, int]:
    """Their numbers by their names."""
    return {f"router.{number}": number for number in sorted(routers)}
