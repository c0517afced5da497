"""How workers hear the changes of registrars, of which they follow one (docs/BUS.md, location.*)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import zmq

from switchboard.bus import frames
from switchboard.bus.endpoints import Endpoints
from switchboard.codec import CodecError
from switchboard.registrar.follower import Follower
from switchboard.registrar.store import Change

CHANGED: Final = frames.head("location.changed")
_LEARNED: Final = frames.head("location.learned")


class Heard(NamedTuple):
    """A frame with changed bindings: its packed list of records begins at `start`."""

    frame: bytes
    number: int
    start: int
    is_learned: bool


def heard_in(frame: bytes) -> Heard | None:
    """What changes of bindings the frame has; None if it is another one. CodecError."""
    for head in (CHANGED, _LEARNED):
        if frame.startswith(head):
            return Heard(frame, *Change.split(frame, len(head)), head is _LEARNED)
    return None


def take_change(follower: Follower, frame: bytes, now: float) -> Heard | None:
    """Let the follower have a frame with changes; None if it is another one."""
    try:
        heard = heard_in(frame)
    except CodecError:
        return None
    if heard is not None:
        take = follower.learned if heard.is_learned else follower.changed
        take(heard.number, frame, heard.start, now)
    return heard


class Hearing:
    """The subscriptions to `registrars`, of which the first is followed until `follow` is told another one."""

    def __init__(self, registrars: Sequence[int]) -> None:
        self._registrars = registrars
        self._followed = registrars[0]
        self._sockets: dict[int, zmq.Socket[bytes]] = {}

    def publishers(self, endpoints: Endpoints) -> list[str]:
        """Where they publish, in their order."""
        return [endpoints.publisher("registrar", each) for each in self._registrars]

    def opened(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Choose what to hear there: of all their own changes and numbers, of the followed one what it has learned."""
        self._sockets = dict(zip(self._registrars, sockets, strict=True))
        for each in sockets:
            for subject in ("location.changed", "location.number"):
                each.subscribe(frames.head(subject))
        self._choose(zmq.SUBSCRIBE)

    def follow(self, registrar: int) -> None:
        """Follow that one from now on."""
        self._choose(zmq.UNSUBSCRIBE)
        self._followed = registrar
        self._choose(zmq.SUBSCRIBE)

    def _choose(self, option: int) -> None:
        if self._sockets:
            for subject in ("location.learned", "location.clock"):
                self._sockets[self._followed].set(option, frames.head(subject))
