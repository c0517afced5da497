"""A tap publishes a copy of what a worker sends (docs/BUS.md, Taps); without subscribers it costs nothing.

Theory. Sampling has to be the same in all processes, so that a sample has whole calls. So it depends on the Call-ID
alone: sample N has the calls in whose CRC-32 the N bits from bit 16 on are 0, one call of 2^N. (The remainder of the
CRC-32 chooses the router, so other bits are needed.) Commands of people subscribe from outside of the workers.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from zlib import crc32

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer, Publisher

SMALLEST = 10
"""As a power of two: one call of 1024."""
_CALL_ID = re.compile(rb"\n(?:[Cc][Aa][Ll][Ll]-[Ii][Dd]|[Ii])[ \t]*:[ \t]*([^\r\n]*)")
"""Without IGNORECASE, with which each octet would be tried."""


def call_id_on_wire(message: bytes) -> bytes:
    """The Call-ID of a SIP message (untrusted) as it stands; b"" if there is none."""
    match = _CALL_ID.search(message)
    return match[1].strip(b" \t") if match else b""


def pick_in_python(frame: bytes, halvings: int) -> bytes:
    """Return the frame with those items only whose calls are in the sample, one call of 2 to the `halvings`.

    b"" if there are none. What has no Call-ID is in no sample but the whole. FrameError.
    """
    if not halvings:
        return frame
    subject, items = frames.unpack(frame)
    picked = [item for item in items if isinstance(item, list) and _is_sampled(item, halvings)]
    return frames.pack(subject, picked) if picked else b""


def _is_sampled(item: list[Any], halvings: int) -> bool:
    """The higher bits of the CRC decide, for its remainder chooses the router."""
    message = next((value for value in reversed(item) if isinstance(value, bytes)), b"")
    call_id = call_id_on_wire(message)
    return bool(call_id) and not crc32(call_id) >> 16 & (1 << halvings) - 1


try:
    from switchboard._native.wire import pick as pick
except ImportError:
    pick = pick_in_python


FRAMES_KEPT = 100
"""For a listener that is slow; it misses what goes beyond, and the numbers show the gap."""
GATHER_S = 0.05
GATHER_BYTES = 1 << 18
LOOK_S = 1.0
Passed = tuple[int, str, bytes]
"""When a frame left (epoch ns), the peer that got it, and the frame."""


def subject_of(halvings: int) -> str:
    """The subject for one call of 2 to the `halvings`."""
    return f"tap.passed.{halvings}"


def topic_of(halvings: int) -> bytes:
    """What to subscribe to for that sample of the calls."""
    return frames.head(subject_of(halvings))


_HALVINGS = {topic_of(halvings): halvings for halvings in range(SMALLEST + 1)}


class Tap:
    """Bound XPUB sockets; `is_open` while somebody has subscribed. `owner`: whose tap it is (`router.0`).

    While it is open, each frame that one of `peers` takes is told, and what is given to `publish`: gathered
    for GATHER_S, until `due_at` (monotonic s), for each sample of the calls that somebody has chosen.
    `greeting`: what each new subscriber gets, in a frame of its own.
    """

    def __init__(
        self,
        context: BusContext,
        endpoints: Sequence[str],
        owner: str,
        peers: Iterable[Peer] = (),
    ) -> None:
        self.greeting = b""
        self.is_open = False
        self.due_at = math.inf
        self._owner = owner
        self._peers = list(peers)
        self._publisher = Publisher(context, endpoints, FRAMES_KEPT, linger=0)
        self._gathered: dict[int, list[Passed]] = {}
        self._size = 0
        self._numbers: Counter[int] = Counter()
        self._next_look_ns = 0

    @property
    def published(self) -> int:
        """Frames of its own that it has published."""
        return self._numbers.total()

    @property
    def samples(self) -> set[int]:
        """How often the samples are halved that somebody has chosen."""
        return set(self._gathered)

    def watch(self) -> dict[int, Callable[[float], None]]:
        """What the loop is to watch: a subscription wakes it."""
        return dict.fromkeys(self._publisher.fds, self.look)

    def publish(
        self, frame: bytes, peer: str, at_ns: int, show: Callable[[bytes], bytes] | None = None
    ) -> None:
        """Tell, soon, that `frame` went to `peer` ("" for the wire) at that moment (epoch ns).

        `show` makes what is shown of what was picked out of the frame.
        """
        for halvings, gathered in self._gathered.items():
            picked = pick(frame, halvings)
            if picked and show is not None:
                picked = show(picked)
            if picked:
                gathered.append((at_ns, peer, picked))
                self._size += len(picked)
        if self._size >= GATHER_BYTES:
            self.tell()
        elif self._size and self.due_at == math.inf:
            self.due_at = time.monotonic() + GATHER_S
        if at_ns >= self._next_look_ns:
            self._next_look_ns = at_ns + int(LOOK_S * 1e9)
            self.look()

    def greet(self, frame: bytes) -> None:
        """Publish `frame`, now and to everybody again when somebody has come."""
        self.greeting = frame
        self._publisher.send_frame(frame)

    def handle_timer(self, now: float) -> None:
        """Tell what was gathered, if it is time."""
        if now >= self.due_at:
            self.tell()

    def tell(self) -> None:
        """Publish what was gathered."""
        for halvings, gathered in self._gathered.items():
            if gathered:
                self._numbers[halvings] += 1
                body = (self._owner, self._numbers[halvings], gathered)
                self._publisher.send_to(topic_of(halvings), frames.pack(subject_of(halvings), body))
                gathered.clear()
        self._size = 0
        self.due_at = math.inf

    def look(self, _now: float = 0.0) -> None:
        """Read the subscriptions."""
        self._publisher.look()
        wanted = {_HALVINGS[topic] for topic in self._publisher.topics & _HALVINGS.keys()}
        if wanted != self.samples:
            self._sample_anew(wanted)
        if self.greeting and self._publisher.has_newcomers():
            self.greet(self.greeting)

    def _sample_anew(self, wanted: set[int]) -> None:
        """Gather for these samples. What was gathered for another one goes to who has changed the sample."""
        fullest = self._gathered[min(self._gathered)] if self._gathered else []
        self._gathered = {each: self._gathered.get(each) or _part(fullest, each) for each in wanted}
        self.is_open = bool(wanted)
        for peer in self._peers:
            peer.on_sent = self.publish if self.is_open else None
        if not self.is_open:
            self.tell()


def _part(gathered: Iterable[Passed], halvings: int) -> list[Passed]:
    parts = ((at_ns, peer, pick(frame, halvings)) for at_ns, peer, frame in gathered)
    return [part for part in parts if part[2]]


LISTENED_FRAMES = 10_000


class Listener:
    """SUB sockets, one for each endpoint; a publisher that restarts is found again.

    `topic`: how the frames begin that are wanted.
    """

    def __init__(self, context: BusContext, endpoints: Iterable[str], topic: bytes = b"") -> None:
        self._poller = zmq.Poller()
        self._links = []
        for endpoint in endpoints:
            socket = context.socket(zmq.SUB)
            socket.set(zmq.RCVHWM, LISTENED_FRAMES)
            socket.set(zmq.LINGER, 0)
            socket.subscribe(topic)
            self._links.append(context.link(socket, endpoint, watched=True))
            self._poller.register(socket, zmq.POLLIN)

    def connected(self, timeout_s: float) -> bool:
        """Wait until all publishers are reached; False: one is not, within the time."""
        deadline = time.monotonic() + timeout_s
        while not all(link.is_connected for link in self._links):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self._wait_for_news(min(left_s, LOOK_S))
        return True

    def frames(self, timeout_s: float) -> Iterator[tuple[str, Any]]:
        """Yield (subject, body) of the frames that have come, or come in time; other octets are left out."""
        self._look()
        for socket, _ in self._poller.poll(int(timeout_s * 1000)):
            while socket.get(zmq.EVENTS) & zmq.POLLIN:
                try:
                    yield frames.unpack(socket.recv(zmq.NOBLOCK))
                except frames.FrameError:
                    continue

    def close(self) -> None:
        """Let go of the sockets."""
        for link in self._links:
            link.close()

    def _look(self) -> None:
        for link in self._links:
            link.look(time.monotonic())

    def _wait_for_news(self, timeout_s: float) -> None:
        poller = zmq.Poller()
        for link in self._links:
            if link.monitor is not None:
                poller.register(link.monitor, zmq.POLLIN)
        poller.poll(math.ceil(timeout_s * 1000))
        self._look()
