"""The way of messages to the edge-streams: out of a run of items of `sip.send`, what does not leave over UDP.

What a killed edge-stream had not written yet is sent again by the transactions. No transaction sends an ACK again over
a connection, so the latest ACKs are kept here.
"""

import time
from collections import deque
from collections.abc import Sequence

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import PackedOutbox
from switchboard.sip.flow import stream_of
from switchboard.transports.edge_outboxes import Edges, Run, items_in, split_over

KEPT = 10_000
"""Items for one edge-stream while it is away: nobody sends them again."""
MOST_ACKS = 1000
ACK_S = 10.0
"""An ACK that is older has arrived, also if the edge-stream did nothing for a while before it was killed."""
_ACK = b"ACK "


class StreamOutboxes:
    """One outbox for each of `streams` edge-streams. `edges`: None if there is only one.

    `lost`: flow and message of what was for connections of an edge that is away.
    """

    def __init__(
        self, context: BusContext, endpoints: Endpoints, streams: int, edges: Edges | None = None
    ) -> None:
        self.outboxes: Sequence[PackedOutbox] = [
            PackedOutbox(context, endpoints.inbox("edge-stream", number), "sip.send", KEPT)
            for number in range(streams)
        ]
        self.sent = 0
        self.lost: list[tuple[bytes, bytes]] = []
        self._edges = edges
        self._acks: Sequence[deque[tuple[float, bytes]]] = [deque(maxlen=MOST_ACKS) for _ in range(streams)]

    def take_from(self, run: Run) -> Run:
        """Put the items of streams into their outboxes; return the others. The items are trusted and packed."""
        if self._edges is None:
            left, runs, acks = split(*run, len(self.outboxes))
        else:
            left, runs, acks = split_over(self._edges, run, self.lost)
        for number, own in runs:
            self.outboxes[number].put(own)
            self.sent += own[0]
        if acks:
            now = time.monotonic()
            for number, item in acks:
                self._acks[number].append((now, item))
        return left

    def put_elsewhere(self) -> None:
        """What waits for an edge that is away is lost, or another one makes the connection."""
        for number, outbox in enumerate(self.outboxes):
            if self._edges and number // self._edges.streams in self._edges.away:
                for run in outbox.take_back():
                    self.take_from((1, run) if isinstance(run, bytes) else run)

    def flush(self) -> bool:
        """Cast what waits. True: nothing waits any more."""
        is_empty = True
        for outbox in self.outboxes:
            if outbox.waiting and not outbox.flush():
                is_empty = False
        return is_empty

    def repeat_acks(self, number: int) -> None:
        """Another process does the work of that edge-stream: send it the ACKs again that the former may have lost."""
        if 0 <= number < len(self.outboxes):
            since = time.monotonic() - ACK_S
            self.outboxes[number].put_all([item for at, item in self._acks[number] if at >= since])
            self._acks[number].clear()


def split_in_python(
    count: int, items: bytes, streams: int
) -> tuple[Run, list[tuple[int, Run]], list[tuple[int, bytes]]]:
    """Return what of so many items leaves over UDP, those of each of `streams` by its number, and the ACKs of these."""
    ways: list[list[bytes]] = [[] for _ in range(streams)]
    kept: list[bytes] = []
    acks: list[tuple[int, bytes]] = []
    for flow, raw, item in items_in((count, items)):
        number = stream_of(flow, streams)
        way = kept if number is None else ways[number % streams]
        way.append(item)
        if number is not None and raw.startswith(_ACK):
            acks.append((number % streams, item))
    runs = [(number, _run(pieces)) for number, pieces in enumerate(ways) if pieces]
    return _run(kept), runs, acks


def _run(pieces: list[bytes]) -> Run:
    return len(pieces), b"".join(pieces)


try:
    from switchboard._native.wire import split as split
except ImportError:
    split = split_in_python
