"""The output of the taps: read, sampled if there is too much, and filtered for subscribers of a part."""

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import Any

from switchboard.bus import frames
from switchboard.bus.frames import message_in
from switchboard.bus.tap import SMALLEST
from switchboard.history.lenient import LenientMessage
from switchboard.history.seen import Address, Direction, Seen, call_id_of
from switchboard.history.summary import user_of
from switchboard.sip.dispatch import PONG
from switchboard.sip.flow import UDP, Flow

WIRE_IN = "edge-rx."
STREAMS = "edge-stream."
"""So begin the names of those that read the wire; the latter write to it, too."""
_PHONES_KNOWN = 10_000


class TapReader:
    """Unpacks frames. `sip_host` ("": all addresses) and `sip_port`: where the switchboard listens.
    `hops`: whether to read what workers tell each other, too.

    What a router sends over a connection is told by the edge-stream that has it, too, and read there.

    `missed` counts frames that a publisher numbered and that never came; `bad` counts what is no such frame.
    """

    def __init__(self, sip_host: str, sip_port: int, *, hops: bool = False) -> None:
        self._hops = hops
        self.missed = 0
        self.bad = 0
        self._sip_host = sip_host
        self._sip_port = sip_port
        self._numbers: dict[str, int] = {}
        self._facing: OrderedDict[str, str] = OrderedDict()

    def read(self, body: Any) -> Iterator[Seen]:
        """Yield the SIP messages of the body of one frame, each worker's in order."""
        match body:
            case [str(owner), int(number), list(passed)]:
                self._count(owner, number)
                for each in passed:
                    yield from self._unpack(owner, each)
            case _:
                self.bad += 1

    def skip(self, body: Any) -> None:
        """Count a frame that nobody reads."""
        match body:
            case [str(owner), int(number), _]:
                self._count(owner, number)

    def begin_anew(self) -> None:
        """Another sample of the calls is told from now on, and numbered by itself."""
        self._numbers.clear()

    def _unpack(self, owner: str, passed: Any) -> Iterator[Seen]:
        try:
            at_ns, peer, frame = passed
            inner, items = frames.unpack(frame)
        except (frames.FrameError, TypeError, ValueError):
            self.bad += 1
            return
        is_from_wire = inner == "sip.received" and owner.startswith((WIRE_IN, STREAMS))
        if is_from_wire or (inner != "sip.received" and (self._hops or not peer)):
            for flow, raw in filter(None, map(partial(message_in, inner), items)):
                if inner == "sip.received":
                    yield self._received(at_ns, flow, raw, peer)
                elif raw != PONG and (peer or flow.transport == UDP or owner.startswith(STREAMS)):
                    yield self._sent(owner, at_ns, flow, raw, peer)

    def _received(self, at_ns: int, flow: Flow, raw: bytes, peer: str) -> Seen:
        if flow.local:
            self._learn(flow.host, flow.local)
        return Seen(at_ns, Address(*flow.hop), self._ours(flow), raw, Direction.IN, peer)

    def _sent(self, owner: str, at_ns: int, flow: Flow, raw: bytes, peer: str) -> Seen:
        if not peer:  # to the wire
            return Seen(at_ns, self._ours(flow), Address(*flow.hop), raw, Direction.OUT)
        return Seen(at_ns, Address(owner, 0), Address(peer, 0), raw, Direction.HOP, peer)

    def _ours(self, flow: Flow) -> Address:
        """Our end: as the kernel told it, else as that phone saw us before."""
        host = flow.local or self._sip_host or self._facing.get(flow.host, "")
        return Address(host or ("::" if ":" in flow.host else "0.0.0.0"), self._sip_port)

    def _learn(self, phone: str, local: str) -> None:
        if self._facing.get(phone) == local:
            return
        self._facing[phone] = local
        if len(self._facing) > _PHONES_KNOWN:
            self._facing.popitem(last=False)

    def _count(self, owner: str, number: int) -> None:
        """A number that falls is a new process; the first one that we hear may be any."""
        last = self._numbers.get(owner)
        self._numbers[owner] = number
        if last is not None and number > last:
            self.missed += number - last - 1


WINDOW_S = 1.0
SHORTEST_S = 0.25
"""After so long a sample is made smaller if the messages of a window have come by then."""
MARGIN = 0.7
"""The sample grows again when the larger one would make less than so much of the limit."""


class Sample:
    """Adapts the sample so that at most `limit` messages a second are kept: a call of two, of four, and so on.

    `halvings`: how often the sample was halved. `skipped`: about how many messages were left out.
    """

    def __init__(self, limit: int) -> None:
        self.halvings = 0
        self.skipped = 0
        self._limit = limit
        self._counted = 0
        self._since = 0.0

    def count(self, messages: int) -> None:
        """So many messages of the sample have come."""
        self._counted += messages
        self.skipped += messages * ((1 << self.halvings) - 1)

    def look(self, now: float) -> bool:
        """Adapt the sample to the rate; whether it is another one now. `now`: monotonic s."""
        elapsed_s = now - self._since
        if elapsed_s < (SHORTEST_S if self._counted > self._limit else WINDOW_S):
            return False
        rate = (self._counted << self.halvings) / elapsed_s
        before, self._counted, self._since = self.halvings, 0, now
        while rate > self._limit << self.halvings and self.halvings < SMALLEST:
            self.halvings += 1
        while self.halvings and rate < MARGIN * (self._limit << self.halvings - 1):
            self.halvings -= 1
        return self.halvings != before


_REMEMBERED = 10_000


class CallFilter:
    """`user` and `call_id`: "" for any. A Call-ID in which a user once took part is wanted as a whole."""

    def __init__(self, user: str = "", call_id: str = "") -> None:
        self._user = user
        self._call_id = call_id
        self._theirs: OrderedDict[str, None] = OrderedDict()

    def wants(self, seen: Seen) -> bool:
        """Whether this message is wanted; to be asked of each one, in order."""
        call_id = call_id_of(seen.raw)
        if self._call_id and call_id != self._call_id:
            return False
        return not self._user or call_id in self._theirs or self._concerns(seen, call_id)

    def _concerns(self, seen: Seen, call_id: str) -> bool:
        parsed = LenientMessage.of(seen)
        if self._user not in (user_of(parsed.caller), user_of(parsed.callee)):
            return False
        self._theirs[call_id] = None
        if len(self._theirs) > _REMEMBERED:
            self._theirs.popitem(last=False)
        return True
