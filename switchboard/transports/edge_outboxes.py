"""The ways to the edges of a switchboard that has several: what a worker sends, to the edge that has our address in it.

Theory. A phone behind address translation, or a firewall, hears only the address to which it has sent. So what is for a
peer leaves through the edge that has the local address of its flow, wherever the sender is. An edge that does not take
frames for AWAY_S is *away*. Then another one sends, from an address of its own: most phones answer that all the same.
Nobody else has the connections of an edge that is away: their requests are lost, which the sender is told.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.frames import pack_sent
from switchboard.bus.outbox import PackedOutbox
from switchboard.bus.peer import Peer
from switchboard.bus.reach import AWAY_S
from switchboard.settings.local import edges_by_address
from switchboard.settings.model import Settings
from switchboard.settings.site import edge_here, edges
from switchboard.sip.flow import UDP, connection_in, from_anywhere, local_in, stream_of

LOOK_S: Final = 0.25
"""Between two looks whether the edges can be reached."""
Run = tuple[int, bytes]
"""How many packed items, and these, one behind the other."""
_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
"""Octets of the length of msgpack's binary, by the octet before it."""


class Edges:
    """Which of several edges sends what. `here`: the number of the one on this host; None if there is none.

    `by_address`: the edges that have an address of ours, as it stands in a packed flow. `streams`: edge-streams of each
    edge. `away`: the edges that cannot be reached, unless those are all. `now`: monotonic s.
    """

    def __init__(
        self, count: int, by_address: Mapping[bytes, Sequence[int]], streams: int = 1, here: int | None = None
    ) -> None:
        self.count, self.streams, self.here = count, streams, here
        self.by_address = by_address
        self.away: Set[int] = frozenset()
        self.due_at = 0.0
        others = (number for number in range(count) if number != here)
        self._by_preference = [*([] if here is None else [here]), *others]
        self._silent_since: dict[int, float] = {}

    @property
    def only_here(self) -> bytes:
        """The addresses that are those of this host's edge before any other, as in packed flows."""
        return b"".join(address for address, owners in self.by_address.items() if owners[0] == self.here)

    def look(self, peers: Sequence[Peer], now: float) -> bool:
        """See which edges take frames; `peers`: one of each. Whether others are away now."""
        self.due_at = now + LOOK_S
        for number, peer in enumerate(peers):
            if peer.takes_frames:
                self._silent_since.pop(number, None)
            else:
                self._silent_since.setdefault(number, now)
        silent = {number for number, since in self._silent_since.items() if now - since >= AWAY_S}
        before, self.away = self.away, frozenset(silent if len(silent) < len(peers) else ())
        return self.away != before

    def of_datagram(self, flow: bytes) -> tuple[int, bytes]:
        """Return who sends over a packed flow, and over which: another edge than its own has other addresses."""
        owners = self.by_address.get(local_in(flow))
        number = self._of(owners)
        return number, from_anywhere(flow) if owners and number not in owners else flow

    def of_stream(self, flow: bytes) -> int | None:
        """Return the edge-stream that sends over a packed flow of a connection; None if its edge is away."""
        if connection_in(flow):
            number = stream_of(flow) or 0
            return None if number // self.streams in self.away else number
        place = stream_of(flow, self.streams) or 0
        return self._of(self.by_address.get(local_in(flow))) * self.streams + place

    def _of(self, owners: Iterable[int] | None) -> int:
        return next(number for number in (*(owners or ()), *self._by_preference) if number not in self.away)


class EdgeTxOutboxes:
    """In the place of the outbox of edge-tx: one for each edge."""

    def __init__(self, context: BusContext, endpoints: Endpoints, edges: Edges) -> None:
        self.outboxes = [
            PackedOutbox(context, endpoints.inbox("edge-tx", number), "sip.send")
            for number in range(edges.count)
        ]
        self._edges = edges

    @property
    def waiting(self) -> int:
        """How many items have not been cast yet."""
        return sum(each.waiting for each in self.outboxes)

    def put(self, run: Run) -> None:
        """Add a run of packed items (trusted) to the next flush, in order."""
        for flow, raw, item in items_in(run):
            number, way = self._edges.of_datagram(flow)
            self.outboxes[number].put(item if way is flow else pack_sent(way, raw))

    def take_from(self, run: Run) -> Run:
        """Add what other edges send to the next flush; return what the edge of this host sends."""
        own: list[bytes] = []
        for flow, raw, item in items_in(run):
            number, way = self._edges.of_datagram(flow)
            item = item if way is flow else pack_sent(way, raw)
            if number == self._edges.here:
                own.append(item)
            else:
                self.outboxes[number].put(item)
        return _joined(own)

    def look(self, now: float) -> bool:
        """See which edges can be reached; whether others are away now."""
        return now >= self._edges.due_at and self._edges.look([each.peer for each in self.outboxes], now)

    def put_elsewhere(self) -> None:
        """What waits for an edge that is away leaves through another one."""
        for number in self._edges.away:
            for run in self.outboxes[number].take_back():
                self.put((1, run) if isinstance(run, bytes) else run)

    def flush(self) -> bool:
        """Cast what waits. True: nothing waits any more."""
        for each in self.outboxes:
            if each.waiting:
                each.flush()
        return not self.waiting

    def take_back(self) -> list[bytes | Run]:
        """Remove and return what waits."""
        return [run for each in self.outboxes for run in each.take_back()]

    def close(self) -> None:
        """Let go of the edges."""
        for each in self.outboxes:
            each.close()


def items_in(run: Run) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the flow, the message and all octets of each packed item of a run."""
    count, items = run
    at = 0
    for _ in range(count):
        flow_at, flow_end = _binary(items, at + 1)
        raw_at, end = _binary(items, flow_end)
        yield items[flow_at:flow_end], items[raw_at:end], items[at:end]
        at = end


def _binary(items: bytes, at: int) -> tuple[int, int]:
    """Return where the octets of the binary at `at` begin and end."""
    size = _SIZES[items[at]]
    begin = at + 1 + size
    return begin, begin + int.from_bytes(items[at + 1 : begin], "big")


Split = tuple[Run, list[tuple[int, Run]], list[tuple[int, bytes]]]


def split_over(edges: Edges, run: Run, lost: list[tuple[bytes, bytes]]) -> Split:
    """Return what of a run leaves over UDP, those of each edge-stream by its number, and the ACKs of these.

    What is for a connection of an edge that is away is added to `lost`: flow and message.
    """
    ways: dict[int | None, list[bytes]] = {}
    acks: list[tuple[int, bytes]] = []
    for flow, raw, item in items_in(run):
        number = None if flow[0] == UDP else edges.of_stream(flow)
        if number is None and flow[0] != UDP:
            lost.append((flow, raw))
            continue
        ways.setdefault(number, []).append(item)
        if number is not None and raw.startswith(b"ACK "):
            acks.append((number, item))
    left = _joined(ways.pop(None, []))
    return left, [(number, _joined(pieces)) for number, pieces in ways.items() if number is not None], acks


def _joined(pieces: list[bytes]) -> Run:
    return len(pieces), b"".join(pieces)


def edges_of(settings: Settings) -> Edges | None:
    """Which edge sends what; None if there is only one, which sends all."""
    count = len(edges(settings))
    if count == 1:
        return None
    return Edges(count, edges_by_address(settings), settings.edge_streams, edge_here(settings))
