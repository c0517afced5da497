"""What a call does, as a generator that yields what it waits for: hundreds run at once over one Net."""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from system.net import Net

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Waiting:
    """The script goes on with what `find` returns as soon as that is not None; `what` is for people."""

    find: Callable[[], object | None]
    what: str


Script = Generator[Waiting, Any, Found]


class Running:
    """A script on its way."""

    def __init__(self, script: Script[None]) -> None:
        self.ended = False
        self._script = script
        self._waiting: Waiting | None = None

    @property
    def missing(self) -> str:
        """What it waits for."""
        return self._waiting.what if self._waiting else "its turn"

    def step(self) -> None:
        """Go on as far as possible; AssertionError of the script ends it."""
        try:
            if self._waiting is None:
                self._waiting = next(self._script)
            while not self.ended and (found := self._waiting.find()):
                self._waiting = self._script.send(found)
        except StopIteration:
            self.ended = True
        except AssertionError:
            self.ended = True
            raise


def run_all(net: Net, scripts: Iterable[Script[None]], timeout_s: float) -> None:
    """Run scripts to their ends; AssertionError if one fails, or takes too long."""
    running = [Running(script) for script in scripts]

    def step() -> bool:
        for each in running:
            if not each.ended:
                each.step()
        return all(each.ended for each in running)

    net.wait_for(step, "the end of every script", timeout_s)


def until(find: Callable[[], Found | None], what: str) -> Script[Found]:
    """Wait for the first true value of `find`."""
    found: Found = yield Waiting(find, what)
    return found


def either(find: Callable[[], object | None], net: Net, within_s: float) -> Script[None]:
    """Wait for what `find` finds, but not longer than `within_s`: it may have been lost."""
    end = time.monotonic() + within_s
    net.later(within_s, _wake)
    yield Waiting(lambda: find() or time.monotonic() >= end, "a moment")


def pause(net: Net, duration_s: float) -> Script[None]:
    """Wait."""
    yield from either(lambda: None, net, duration_s)


def _wake() -> None:
    """Whoever waits looks at the clock."""
