"""Shows what a worker sends to whoever listens (docs/BUS.md, Taps); costs nothing while nobody does."""

from collections.abc import Callable, Iterable, Sequence

import zmq

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer

SUBJECT = "tap.passed"
FRAMES_KEPT = 1_000
"""For a listener that is slow; it misses what goes beyond, and the numbers show the gap."""
LOOK_S = 1.0
_HEAD = frames.head(SUBJECT) + codec.list_head(5)
_SUBSCRIBES = 1


class Tap:
    """Bound XPUB sockets; `is_open` while somebody has subscribed. `owner`: whose tap it is (`router.0`).

    While it is open, each frame that one of `peers` takes is published, and what is given to `publish`.
    """

    def __init__(
        self, context: BusContext, endpoints: Sequence[str], owner: str, peers: Iterable[Peer] = ()
    ) -> None:
        self.is_open = False
        self.published = 0
        self._owner = codec.pack(owner)
        self._peers = list(peers)
        self._sockets = context.listen(zmq.XPUB, endpoints, sndhwm=FRAMES_KEPT, linger=0)
        self._listened: dict[zmq.Socket[bytes], set[bytes]] = {each: set() for each in self._sockets}
        self._next_look_ns = 0

    def watch(self) -> dict[int, Callable[[float], None]]:
        """What the loop is to watch: a subscription wakes it."""
        return {int(each.get(zmq.FD)): self._look for each in self._sockets}

    def publish(self, frame: bytes, peer: str, at_ns: int) -> None:
        """Tell that `frame` went to `peer` ("" for the wire) at that moment (epoch ns)."""
        self.published += 1
        head = (_HEAD, self._owner, codec.pack(self.published), codec.pack(at_ns), codec.pack(peer))
        whole = b"".join((*head, codec.pack(frame)))
        for socket, topics in self._listened.items():
            if topics:
                socket.send(whole, zmq.NOBLOCK)
        if at_ns >= self._next_look_ns:
            self._next_look_ns = at_ns + int(LOOK_S * 1e9)
            self._look(0.0)

    def _look(self, _now: float) -> None:
        """Take subscriptions. The descriptor speaks once, and sending may silence it: so all are taken."""
        for socket, topics in self._listened.items():
            while int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
                change = socket.recv(zmq.NOBLOCK)
                (topics.add if change[0] == _SUBSCRIBES else topics.discard)(change[1:])
        self.is_open = any(self._listened.values())
        for peer in self._peers:
            peer.on_sent = self.publish if self.is_open else None
