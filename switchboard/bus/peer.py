"""One peer that we cast frames to."""

import time
from collections.abc import Callable

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.sockets import Mouth

HIGH_WATER_MARK = 64  # frames: a peer that hangs is noticed when so many wait
LINGER_MS = 200
RECONNECT_MS = 20  # never longer: a worker that is back must not wait for its peers to notice


class Peer:
    """A PUSH socket connected to one inbox; it never blocks and holds nothing for a peer that is away.

    `on_sent` (if set) is told each frame that the peer took, the peer's name, and when (epoch ns).
    """

    on_sent: Callable[[bytes, str, int], None] | None = None

    def __init__(self, context: BusContext, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._socket = context.socket(zmq.PUSH)
        self._socket.set(zmq.IMMEDIATE, 1)
        self._socket.set(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.set(zmq.LINGER, LINGER_MS)
        self._socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        context.connect(self._socket, endpoint)
        self._mouth = Mouth(self._socket)

    @property
    def name(self) -> str:
        """NAME.INSTANCE of the peer."""
        return self.endpoint.owner

    @property
    def takes_frames(self) -> bool:
        """Whether the next frame would be taken: spares the packing of one that would not."""
        return bool(int(self._socket.get(zmq.EVENTS)) & zmq.POLLOUT)

    def send(self, subject: str, body: object) -> bool:
        """Cast one frame. False: the peer is away or too far behind, and has not got it."""
        return self.send_frame(frames.pack(subject, body))

    def send_frame(self, frame: bytes) -> bool:
        """Cast a packed frame, as `send` does."""
        at_ns = time.time_ns() if self.on_sent is not None else 0
        if not self._mouth.send(frame):
            return False
        if self.on_sent is not None:
            self.on_sent(frame, self.name, at_ns)
        return True

    def close(self) -> None:
        """Let go of the peer; frames on their way have LINGER_MS to leave."""
        self._socket.close()
