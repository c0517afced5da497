"""The way of messages to the edge-streams: out of a run of items of `sip.send`, what does not leave over UDP."""

from collections.abc import Sequence

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import PackedOutbox
from switchboard.sip.flow import UDP, stream_of

KEPT = 10_000
"""Items for one edge-stream while it is away: nobody sends them again."""
Run = tuple[int, bytes]
"""How many packed items, and these, one behind the other."""
_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
"""Octets of the length of msgpack's binary, by the octet before it."""


class StreamOutboxes:
    """One outbox for each of `streams` edge-streams."""

    def __init__(self, context: BusContext, endpoints: Endpoints, streams: int) -> None:
        self.outboxes: Sequence[PackedOutbox] = [
            PackedOutbox(context, endpoints.inbox("edge-stream", number), "sip.send", KEPT)
            for number in range(streams)
        ]
        self.sent = 0

    def take_from(self, run: Run) -> Run:
        """Put the items of streams into their outboxes; return the others. The items are trusted and packed."""
        count, items = run
        kept: list[bytes] = []
        at = 0
        for _ in range(count):
            flow_at, flow_end = _binary(items, at + 1)
            _, end = _binary(items, flow_end)
            if items[flow_at] == UDP:
                kept.append(items[at:end])
            else:
                self._put(items[flow_at:flow_end], items[at:end])
            at = end
        return (len(kept), b"".join(kept)) if len(kept) < count else run

    def flush(self) -> None:
        """Cast what waits."""
        for outbox in self.outboxes:
            if outbox.waiting:
                outbox.flush()

    def _put(self, flow: bytes, item: bytes) -> None:
        number = stream_of(flow, len(self.outboxes)) or 0
        self.outboxes[number % len(self.outboxes)].put(item)
        self.sent += 1


def _binary(items: bytes, at: int) -> tuple[int, int]:
    """Return where the octets of the binary at `at` begin and end."""
    size = _SIZES[items[at]]
    begin = at + 1 + size
    return begin, begin + int.from_bytes(items[at + 1 : begin], "big")
