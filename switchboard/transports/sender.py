"""The sender of a worker's messages: on the edge's own sockets, or through other processes.

There are three ways, each shorter than the next one. On lent sockets of the edge (`lending.py`) the messages of a
drain leave with one system call. Without them, edge-tx sends. While the tables of phrases are not known yet, the
translator inserts the phrases and passes the messages to edge-tx; on the other ways they are inserted here. What does
not leave over UDP goes to the edge-stream that has its connection. Each way
keeps the order. When a shorter way opens, messages on a longer one get a lead of HEAD_START_S.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence, Set
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.frames import SENT, pack_sent
from switchboard.bus.outbox import PackedOutbox
from switchboard.bus.peer import Peer
from switchboard.bus.tap import Tap
from switchboard.phrases.phrases import Phrases
from switchboard.settings.model import Settings
from switchboard.settings.site import advertised, edge_here, edge_streams
from switchboard.sip.flow import Flow
from switchboard.transports.edge_outboxes import Edges, EdgeTxOutboxes, Run, edges_of
from switchboard.transports.lending import NAME, Borrower
from switchboard.transports.stream_outboxes import StreamOutboxes
from switchboard.transports.transport import CLASSES, Phrasing, SocketSender
from switchboard.transports.udp import UDP

if TYPE_CHECKING:
    from switchboard._native.wire import RunSender

HEAD_START_S: Final = 0.02
"""For what one peer is sent, to stay in order."""
TABLES: Final = "phrases.tables"
_SEND, _TRANSLATE = frames.head("sip.send"), frames.head("sip.translate")
_PLAIN = len(SENT)
_HEAD_OF_SENT = codec.list_head(_PLAIN)


class ThroughEdgeTx:
    """In the place of sockets that are not here: it sends nothing, and so leaves everything to `Sender.send`."""

    def send_run(self, count: int, items: bytes, phrasing: Phrasing, by_class: list[int]) -> None:
        """Not sent."""


_EDGE_TX: Final = ThroughEdgeTx()
Direct = tuple["RunSender | ThroughEdgeTx", Phrasing, list[int]]
"""The arguments of `send_run` that are always the same, and whose it is."""


class Way(IntEnum):
    """How messages leave; a higher number is a shorter way."""

    TRANSLATOR = 0
    EDGE_TX = 1
    DIRECT = 2


class Sender:
    """Takes items of `sip.send` and `sip.translate`, and sends them when it is flushed.

    `borrower`: of the edge's sockets, None on another host than the edge's. `tap` is shown what goes to the wire.
    `due_at`: when `handle_timer` has something to do (monotonic s). `direct`: how compiled code sends what leaves now;
    None: it has to be put here.
    """

    def __init__(
        self,
        context: BusContext,
        endpoints: Endpoints,
        borrower: Borrower | None,
        streams: int = 1,
        advertised: str = "",
        edges: Edges | None = None,
    ) -> None:
        self._advertised = advertised
        self.tap: Tap | None = None
        self._tell: Callable[[bytes], None] | None = None
        self._edges = edges
        self.direct: Direct | None = None
        self._translator = PackedOutbox(context, endpoints.inbox("translator"), "sip.translate")
        self._edge: PackedOutbox | EdgeTxOutboxes
        if edges is None:
            self._edge = PackedOutbox(context, endpoints.inbox("edge-tx"), "sip.send")
        else:
            self._edge = EdgeTxOutboxes(context, endpoints, edges)
        self._streams = StreamOutboxes(context, endpoints, streams, edges)
        self._borrower = borrower
        self._phrasing: Phrasing | None = None
        self._sockets: SocketSender | None = None
        self._runs: list[Run] = []
        self._way = Way.TRANSLATOR
        self._opens_at = math.inf  # a shorter one
        self.due_at = self._next_look()
        self.sent = self.failed = 0
        self._untranslated = self._retried = 0
        self._by_class = [0] * CLASSES

    @property
    def outboxes(self) -> Sequence[PackedOutbox]:
        """Those to the translator, edge-tx and edge-streams, for the loop."""
        return self._translator, *self._edge_outboxes, *self._streams.outboxes

    @property
    def _edge_outboxes(self) -> Sequence[PackedOutbox]:
        return self._edge.outboxes if isinstance(self._edge, EdgeTxOutboxes) else (self._edge,)

    @property
    def stream_outboxes(self) -> Sequence[PackedOutbox]:
        """Those to the edge-streams, by number."""
        return self._streams.outboxes

    @property
    def stream_peers(self) -> Sequence[Peer]:
        """The edge-streams, by number."""
        return [each.peer for each in self._streams.outboxes]

    def repeat_acks(self, stream: int) -> None:
        """Another process does the work of that edge-stream."""
        self._streams.repeat_acks(stream)

    @property
    def is_direct(self) -> bool:
        """Whether all goes straight to the wire."""
        return self._way is Way.DIRECT

    @property
    def is_open(self) -> bool:
        """Whether what is put leaves: straight to the wire, or to an edge-tx that is there."""
        return self.is_direct or any(each.peer.is_connected for each in self._edge_outboxes)

    def put_packed(self, count: int, items: bytes) -> None:
        """Add `count` packed items of one subject, one behind the other."""
        if count:
            self._runs.append((count, items))

    def put_to_edge(self, count: int, items: bytes) -> None:
        """The same, but it leaves by edge-tx, whose tap shows it: for who has none."""
        if self._phrasing is None:
            self.put_packed(count, items)
        else:
            self._put_to_edge(self._translated(count, items))

    def put(self, item: Sequence[Any]) -> None:
        """Add an item that is not packed yet."""
        self.put_packed(1, codec.pack(item))

    def flush_streams(self) -> bool:
        """Send what `send` has left for other workers of the edge. False: one is away or full; try again."""
        is_empty = not self._edge.waiting or self._edge.flush()
        return self._streams.flush() and is_empty and not self.has_lost

    def flush(self) -> None:
        """Send all of it; in a moment, if a shorter way is about to open."""
        if self._runs and self._opens_at == math.inf:
            self._flush_runs()
        if self._translator.waiting and not self._translator.flush():
            self._go_past_translator()
        if self._edge.waiting:
            self._edge.flush()
        self._streams.flush()

    def take_tables(self, body: Any, now: float) -> bool:
        """Take the translator's tables of phrases; False if they are none. `now`: monotonic s."""
        try:
            self._phrasing = Phrasing(Phrases.from_wire(body))
        except ValueError:
            return False
        self._look(now)
        return True

    @property
    def away(self) -> Set[int]:
        """The edges, of several, that cannot be reached."""
        return self._edges.away if self._edges else frozenset()

    @property
    def has_lost(self) -> bool:
        """Whether there is something for `take_lost`."""
        return bool(self._streams.lost)

    def take_lost(self) -> list[tuple[bytes, bytes]]:
        """Packed flow and message of what was for connections of an edge that is away."""
        taken, self._streams.lost = self._streams.lost, []
        return taken

    def handle_timer(self, now: float) -> None:
        """See whether the direct way is open, and which edges can be reached."""
        if isinstance(self._edge, EdgeTxOutboxes) and self._edge.look(now):
            self._edge.put_elsewhere()
            self._streams.put_elsewhere()
        if self._borrower is not None and self._borrower.look(now):
            self._note_retried()
            sockets = self._borrower.sockets
            only_from = self._edges.only_here if self._edges else b""
            self._sockets = UDP.make_sender(sockets, self._advertised, only_from) if sockets else None
        self._look(now)

    def tell_frames(self, tell: Callable[[bytes], None] | None) -> None:
        """Show `tell`, too, what goes to the wire, as frames; None: nobody."""
        self._tell = tell
        self.direct = self._find_direct()

    def stats(self) -> dict[str, float]:
        """Datagrams that left (some retried) or that the kernel refused; responses by class, and those of them
        that went past an absent translator; whether the direct way is open.
        """
        by_class = {f"responses.{digit}xx": self._by_class[digit] for digit in range(1, CLASSES)}
        return {
            "sent": self.sent,
            "failed": self.failed,
            "retried": self._retried + (self._sockets.retried if self._sockets else 0),
            **by_class,
            "untranslated": self._untranslated,
            "sends_directly": int(self.is_direct),
        }

    def close(self) -> None:
        """Let go of the sockets."""
        if self._borrower is not None:
            self._borrower.close()

    def _look(self, now: float) -> None:
        """Choose the way: a longer one at once, a shorter one after a while."""
        way = Way.TRANSLATOR
        if self._phrasing is not None:
            way = Way.EDGE_TX if self._sockets is None else Way.DIRECT
        if way <= self._way:
            self._way, self._opens_at = way, math.inf
        elif self._opens_at == math.inf:
            self._opens_at = now + HEAD_START_S
        elif now >= self._opens_at:
            self._way, self._opens_at = way, math.inf
            waiting = [run for outbox in (self._edge, self._translator) for run in outbox.take_back()]
            self._runs = [*map(_counted, waiting), *self._runs]
        self.due_at = self._next_look()
        self.direct = self._find_direct()

    def _next_look(self) -> float:
        looks = [each.due_at for each in (self._borrower, self._edges) if each]
        return min([self._opens_at, *looks])

    def _find_direct(self) -> Direct | None:
        if self._way is Way.TRANSLATOR or self._phrasing is None or self._tell is not None:
            return None
        if self._sockets is None:
            return (_EDGE_TX, self._phrasing, self._by_class) if self._opens_at == math.inf else None
        batches = self._sockets.batches if self.is_direct else None
        return None if batches is None else (batches, self._phrasing, self._by_class)

    def _flush_runs(self) -> None:
        count, items = self._runs[0]
        for more, others in self._runs[1:]:
            count, items = count + more, items + others
        match self._way:
            case Way.DIRECT:
                self.send(count, items)
            case Way.EDGE_TX:
                self._put_to_edge(self._translated(count, items))
            case Way.TRANSLATOR:
                self._pass_on()
        self._runs.clear()

    def send(self, count: int, items: bytes) -> None:
        """Send a run at once on the direct way, or put it for edge-tx."""
        assert self._phrasing is not None
        if self._sockets is None:
            self._put_to_edge(self._translated(count, items))
            return
        is_shown = bool(self._tell or (self.tap and self.tap.is_open))
        if is_shown and self._edges is None:
            self._show(b"".join((_TRANSLATE, codec.list_head(count), items)))
        is_plain = self._edges is None or not is_shown
        counts = self._sockets.send_run(count, items, self._phrasing, self._by_class) if is_plain else None
        if counts is None:
            count, items = self._streams.take_from(self._translated(count, items))
            if isinstance(self._edge, EdgeTxOutboxes):
                count, items = self._edge.take_from((count, items))
            if count and not is_plain:
                self._show(b"".join((_TRANSLATE, codec.list_head(count), items)))
            counts = self._send_frame(count, items) if count else (0, 0)
        self.sent += counts[0]
        self.failed += counts[1]

    def _show(self, frame: bytes) -> None:
        if self._tell:
            self._tell(self._as_sent(frame))
        if self.tap and self.tap.is_open:
            self.tap.publish(frame, "", time.time_ns(), self._as_sent)

    def _send_frame(self, count: int, items: bytes) -> tuple[int, int]:
        assert self._sockets is not None
        frame = b"".join((_SEND, codec.list_head(count), items))
        counts = self._sockets.send_items(frame, len(_SEND))
        if counts is None:
            left = [self._sockets.send(raw, Flow.unpack(flow)) for flow, raw in frames.unpack(frame)[1]]
            return sum(left), len(left) - sum(left)
        return counts

    def _as_sent(self, frame: bytes) -> bytes:
        """A frame of `sip.translate` as edge-tx would have got it; b"" for any other frame."""
        assert self._phrasing is not None
        head = codec.list_head(codec.list_at(frame, len(_TRANSLATE)))
        start, count = len(_TRANSLATE) + len(head), codec.list_at(frame, len(_TRANSLATE))
        items = self._phrasing.rewrite(frame, start, count, [0] * CLASSES)
        return b"" if items is None else b"".join((_SEND, head, items))

    def _translated(self, count: int, items: bytes) -> Run:
        """The items of `sip.send`, packed; none of what is no such run."""
        assert self._phrasing is not None
        rewritten = self._phrasing.rewrite(items, 0, count, self._by_class)
        if rewritten is None:
            self.failed += count
            return 0, b""
        return count, rewritten

    def _put_to_edge(self, run: Run) -> None:
        count, items = self._streams.take_from(run)
        if count:
            self._edge.put((count, items))

    def _pass_on(self) -> None:
        if any(items[:1] != _HEAD_OF_SENT for _, items in self._runs):
            self._translator.put_all(self._runs)
            return
        for run in self._runs:
            self._put_to_edge(run)

    def _go_past_translator(self) -> None:
        for _, items in map(_counted, self._translator.take_back()):
            for item in _unpacked(items):
                self._put_to_edge((1, pack_sent(*item[:_PLAIN])))
                self._untranslated += len(item) > _PLAIN

    def _note_retried(self) -> None:
        if self._sockets is not None:
            self._retried += self._sockets.retried


def _counted(run: bytes | Run) -> Run:
    return (1, run) if isinstance(run, bytes) else run


def _unpacked(items: bytes) -> Iterable[list[Any]]:
    unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", max_buffer_size=len(items) + 1)
    unpacker.feed(items)
    return unpacker  # type: ignore[no-any-return]


def make_sender(settings: Settings, context: BusContext, endpoints: Endpoints) -> Sender:
    """One that borrows the edge's sockets, if there is an edge on this host."""
    edges = edges_of(settings)
    borrower = None if edge_here(settings) is None else Borrower(settings.run_dir / NAME)
    return Sender(context, endpoints, borrower, edge_streams(settings), advertised(settings), edges)
