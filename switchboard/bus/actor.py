"""The interface of a worker process: an Actor holds one core, and its loop (`loop.py`) calls it.

Theory. As in Erlang's gen_server there are only three ways in: `receive` for casts, `answer` for questions, `watch`
for the rest. There is one thread and no lock: the callbacks of an actor never overlap, so each sees a consistent
state.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

import zmq

from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Peer
from switchboard.storage.writing import Writing


class FastPath(Protocol):
    """Compiled code that serves what is plain of an actor, without its Python. `now` is `time.monotonic()`.

    Only the compiled `Rounds` ask for it. What it takes has the effects that the actor's callbacks would have.
    """

    def receive(self, frame: bytes, now: float) -> int | None:
        """Take a frame and return how many items it held; None: the actor has to take it."""

    def drain(self, fd: int, now: float) -> bool:
        """Read a descriptor of `watch` that is readable; False: the actor has to."""

    def advance(self, now: float) -> None:
        """Fire what is due."""

    def settle(self, now: float) -> bool:
        """End a round in which the actor was not called; False: nothing was done, and the actor has to flush."""

    def next_deadline(self) -> float:
        """When `advance` is to be called next, infinite for never."""

    def pause_s(self) -> float:
        """As the actor's."""


class Actor:
    """Base of every worker: one per process. `now` is `time.monotonic()`."""

    name: ClassVar[str]
    has_inbox: ClassVar[bool] = True
    outboxes: Sequence[Outbox] = ()
    writings: Sequence[Writing] = ()
    """Of each store that it writes; looked at once a second."""
    fast_path: FastPath | None = None

    def subscriptions(self, endpoints: Endpoints) -> list[str]:  # noqa: ARG002
        """The publishers whose frames `receive` is to have as well."""
        return []

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Choose what to hear at the sockets of `subscriptions`: all, unless somebody knows better."""
        for each in sockets:
            each.subscribe(b"")

    def watch(self) -> dict[int, Callable[[float], None]]:
        """File descriptors and what to call with `now` while one is readable."""
        return {}

    def watch_errors(self) -> dict[int, Callable[[float], None]]:
        """Of these descriptors, those whose errors are told apart, and what to call with `now` at one."""
        return {}

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take a cast."""

    def receive_frame(self, frame: bytes) -> int | None:  # noqa: ARG002
        """Take a packed cast and return how many items it held; None: unpack it for `receive`."""
        return None

    def answer(self, question: str, body: Any) -> Any:  # noqa: ARG002
        """Return the answer to a question; LookupError for one that this actor does not know."""
        raise LookupError(question)

    def next_deadline(self) -> float | None:
        """When `handle_timer` is to be called next (monotonic s); None: never."""
        return None

    def handle_timer(self, now: float) -> None:
        """The deadline has passed: do what is due and move it on."""

    def is_ready(self) -> bool:
        """Whether it knows what it needs to know; asked until it says so, READY_WITHIN_S at most."""
        return True

    def pause_s(self) -> float:
        """How long to let input gather before the next round (s, a few ms at most); asked after each."""
        return 0.0

    def flush(self) -> None:
        """Send what a drain has yielded; called once after each, and every RETRY_S while an outbox waits."""
        for outbox in self.outboxes:
            if outbox.waiting:
                outbox.flush()

    def tell_frames(self, tell: Callable[[bytes], None] | None) -> None:
        """Let `tell` have what leaves past the bus, as a frame: at level debug. None: nobody."""

    def stats(self) -> dict[str, float]:
        """Counters of this actor, added to those of its loop."""
        return {}

    def peers(self) -> Iterable[Peer]:
        """All that this actor casts to."""
        return (outbox.peer for outbox in self.outboxes)

    def notes(self) -> list[str]:
        """What `status` is to tell people besides the worker's state."""
        return []

    def close(self) -> None:
        """Let go of what this actor opened, the sockets of `context` excepted."""
