"""Reads what the taps publish (docs/BUS.md, Taps): frames of the bus become messages that were seen."""

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import Any

from switchboard.bus import frames
from switchboard.bus.items import message_in
from switchboard.history.seen import Address, Direction, Seen
from switchboard.sip.datagram import PONG
from switchboard.sip.flow import Flow

WIRE_IN, WIRE_OUT = "edge-rx.0", "edge-tx.0"
_PHONES_KNOWN = 10_000


class TapReader:
    """Unpacks frames. `sip_host` ("": all addresses) and `sip_port`: where the switchboard listens.

    `missed` counts frames that a publisher numbered and that never came; `bad` counts what is no such frame.
    """

    def __init__(self, sip_host: str, sip_port: int) -> None:
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
        """Another share of the calls is told from now on, and numbered by itself."""
        self._numbers.clear()

    def _unpack(self, owner: str, passed: Any) -> Iterator[Seen]:
        try:
            at_ns, peer, frame = passed
            inner, items = frames.unpack(frame)
        except (frames.FrameError, TypeError, ValueError):
            self.bad += 1
            return
        if inner != "sip.received" or owner == WIRE_IN:
            for flow, raw in filter(None, map(partial(message_in, inner), items)):
                if inner == "sip.received":
                    yield self._received(at_ns, flow, raw, peer)
                elif raw != PONG:
                    yield self._sent(owner, at_ns, flow, raw, peer)

    def _received(self, at_ns: int, flow: Flow, raw: bytes, peer: str) -> Seen:
        if flow.local:
            self._learn(flow.host, flow.local)
        return Seen(at_ns, Address(*flow.hop), self._ours(flow), raw, Direction.IN, peer)

    def _sent(self, owner: str, at_ns: int, flow: Flow, raw: bytes, peer: str) -> Seen:
        if owner == WIRE_OUT:
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
