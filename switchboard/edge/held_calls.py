"""Sends the messages of a call to the router that holds it, while the number of routers changes.

Theory. The Call-ID chooses the router. With another number of routers it chooses another one, although the
transactions of a call are still with the first. So when edge-rx starts with another number than last time, or finds
routers that are to end, it asks all routers once a second for the calls that they hold for others
(`core/held_calls.py`), and sends their messages there. It does not read from the network before the first answers.
When no router holds such a call, the change is over; then the number is written to a file, and the next edge-rx
starts from it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from switchboard.busy import EVERY_S, still_busy
from switchboard.core.held_calls import unpack_sums

FIRST_ANSWERS_WITHIN_S: Final = 3.0
"""A router that is starting needs less; one that is away for longer delays no other."""
ASK_EVERY_S: Final = 1.0
ANSWERS: Final = 2
"""A call is not held if this number of answers in a row says so: one may have crossed a request on its way."""


class Group(Protocol):
    """A question to all routers (`bus/rpc.py`, `RpcGroup`)."""

    answers: dict[str, Any]

    def ask(self) -> None: ...
    def collect(self) -> None: ...
    def wait(self, timeout_s: float) -> None: ...
    def close(self) -> None: ...


class HeldCalls:
    """Keeps `held`, the router of each call by `call_id_sum`, up to date. `now`: monotonic s.

    `numbers`: of all routers that there are, by their names; those from `routers` on take no new calls. `path`: where
    that is kept. `ask` opens the question to those of these names.
    """

    def __init__(
        self,
        held: dict[int, int],
        routers: int,
        numbers: Mapping[str, int],
        path: Path,
        ask: Callable[[Iterable[str]], Group],
    ) -> None:
        self._held, self._routers, self._path, self._ask = held, routers, path, ask
        self._group: Group | None = None
        self.next_at = math.inf
        if len(numbers) > routers or self._routers_before() != routers:
            self._open(numbers)

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

    def begin(self, numbers: Mapping[str, int], now: float) -> None:
        """Ask these: some are leaving that were not thought to, or are there again."""
        self._open(numbers).ask()
        self.next_at = now + ASK_EVERY_S

    def _open(self, numbers: Mapping[str, int]) -> Group:
        self._numbers = numbers
        self._answers: dict[str, list[set[int]]] = {name: [] for name in numbers}  # the last two of each
        self._group = self._ask(numbers)
        return self._group

    def handle_timer(self, now: float) -> None:
        """Take what was answered, and ask again."""
        if now >= self.next_at and self._group is not None:
            self._group.collect()
            self._take(self._group, now)

    def note(self) -> str:
        """For people: that calls are led to where they are held; "" if none are."""
        if self._group is None:
            return ""
        return f"the number of routers has changed; calls that go to the router which holds them: {len(self._held)}"

    def close(self) -> None:
        """Let go of the sockets."""
        if self._group is not None:
            self._group.close()
            self._group = None

    def _take(self, group: Group, now: float) -> None:
        for name, answer in group.answers.items():
            with suppress(ValueError, TypeError):  # one that does not know the question, or refuses it
                self._answers[name] = [*self._answers[name], unpack_sums(answer)][-ANSWERS:]
        self._lead()
        if all(each == [set()] * ANSWERS for each in self._answers.values()):
            self.next_at = math.inf
            self.close()
            self._keep()
        else:
            group.answers.clear()
            group.ask()
            self.next_at = now + ASK_EVERY_S

    def _lead(self) -> None:
        """What was held a moment ago is led there, too, since more of it may have been under way."""
        self._held.clear()
        for name, answers in self._answers.items():
            self._held.update(dict.fromkeys(set[int]().union(*answers), self._numbers[name]))

    def _routers_before(self) -> int:
        """How many took calls when this was over last."""
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return self._routers

    def _keep(self) -> None:
        """A disk that is full keeps another number, or none: then all are asked once more."""
        with suppress(OSError):
            self._path.write_text(f"{self._routers}\n")
