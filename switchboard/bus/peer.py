"""Receivers of our frames: a peer, and the subscribers of what we publish."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.sockets import Mouth

HIGH_WATER_MARK = 64  # frames that wait when a hanging peer is noticed
LINGER_MS = 200
RECONNECT_MS = 20  # never longer: a worker that is back must not wait for its peers to notice


class Says(Protocol):
    """What a frame goes out at (`bus/sockets.py`, `Mouth`)."""

    def send(self, frame: bytes) -> bool: ...


class Peer:
    """A PUSH socket connected to one inbox; it never blocks and holds nothing for a peer that is away.

    `on_sent` (if set) is told each frame that the peer took, the peer's name, and when (epoch ns).
    """

    on_sent: Callable[[bytes, str, int], None] | None = None
    mouth: Says

    def __init__(self, context: BusContext, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._socket = context.socket(zmq.PUSH)
        self._socket.set(zmq.IMMEDIATE, 1)
        self._socket.set(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.set(zmq.LINGER, LINGER_MS)
        self._socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        self.link = context.link(self._socket, endpoint)
        self.mouth = Mouth(self._socket)

    @property
    def name(self) -> str:
        """NAME.INSTANCE of the peer."""
        return self.endpoint.owner

    @property
    def takes_frames(self) -> bool:
        """Whether the next frame would be taken: spares the packing of one that would not."""
        return bool(int(self._socket.get(zmq.EVENTS)) & zmq.POLLOUT)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as of the last look; on this host, whether it takes frames."""
        return self.takes_frames if self.link.monitor is None else self.link.is_connected

    def give_up_after(self, silence_s: float) -> None:
        """Lose what another host has not acknowledged for so long, and the connection with it: it is not to come later.

        To be called before anything is sent.
        """
        if self.link.monitor is not None:
            self._socket.set(zmq.TCP_MAXRT, round(silence_s * 1000))
            self.link.connect_anew(time.monotonic())

    def send(self, subject: str, body: object) -> bool:
        """Cast one frame. False: the peer is away or too far behind, and has not got it."""
        return self.send_frame(frames.pack(subject, body))

    def send_frame(self, frame: bytes) -> bool:
        """Cast a packed frame, as `send` does."""
        at_ns = time.time_ns() if self.on_sent is not None else 0
        if not self.mouth.send(frame):
            return False
        if self.on_sent is not None:
            self.on_sent(frame, self.name, at_ns)
        return True

    def close(self) -> None:
        """Let go of the peer; frames on their way have LINGER_MS to leave."""
        self.link.close()


FRAMES_KEPT = 10_000
_SUBSCRIBES = 1


class Publisher:
    """Bound XPUB sockets; each subscriber that is slow misses what goes beyond `keep` frames.

    `topics`: what has been subscribed to at each.
    """

    def __init__(
        self, context: BusContext, endpoints: Sequence[str], keep: int = FRAMES_KEPT, linger: int = LINGER_MS
    ) -> None:
        self._sockets = context.listen(zmq.XPUB, endpoints, sndhwm=keep, linger=linger, xpub_verbose=1)
        self._topics: dict[zmq.Socket[bytes], set[bytes]] = {each: set() for each in self._sockets}
        self._has_come = False

    @property
    def fds(self) -> list[int]:
        """Readable when somebody may have subscribed. Sending may silence them: ask after each round, too."""
        return [int(socket.get(zmq.FD)) for socket in self._sockets]

    @property
    def topics(self) -> set[bytes]:
        """All that somebody has subscribed to."""
        return set().union(*self._topics.values())

    def look(self) -> None:
        """Take subscriptions. A descriptor speaks once, and sending may silence it: so all are taken."""
        for socket, topics in self._topics.items():
            while int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
                change = socket.recv(zmq.NOBLOCK)
                self._has_come |= change[0] == _SUBSCRIBES
                (topics.add if change[0] == _SUBSCRIBES else topics.discard)(change[1:])

    def has_newcomers(self) -> bool:
        """Whether there is a new subscriber since the last time, which has missed the frames before."""
        self.look()
        has_come, self._has_come = self._has_come, False
        return has_come

    def send(self, subject: str, body: object) -> None:
        """Publish one frame."""
        self.send_frame(frames.pack(subject, body))

    def send_frame(self, frame: bytes) -> None:
        """Publish a packed frame."""
        for socket in self._sockets:
            socket.send(frame, zmq.NOBLOCK)

    def send_to(self, topic: bytes, frame: bytes) -> None:
        """Publish a packed frame where somebody has subscribed to just this `topic`, with which it begins."""
        for socket, topics in self._topics.items():
            if topic in topics:
                socket.send(frame, zmq.NOBLOCK)

    def close(self) -> None:
        """Let go of the sockets."""
        for socket in self._sockets:
            socket.close()
