"""What a worker sends: directly, and by way of others."""

import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq
from bus.contexts import OwningContext
from bus.inbox import bind_inbox, next_frame
from compiled import needs_compiled_core
from flows import packed, udp
from hypothesis import given
from hypothesis import strategies as st

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.endpoints import Endpoints, SocketKind
from switchboard.bus.tap import Tap, topic_of
from switchboard.phrases.translate import Translator
from switchboard.sip.flow import TCP, Flow, connection_of, packed_address
from switchboard.transports import sender as sender_module
from switchboard.transports.edge_outboxes import Edges
from switchboard.transports.lending import NAME, Borrower, Lender
from switchboard.transports.sender import HEAD_START_S, Sender
from switchboard.transports.transport import Phrasing, PhrasingInPython
from switchboard.transports.udp_datagrams import Sender as SocketSender
from switchboard.transports.udp_sockets import bind_sockets

LIMIT_S = 20.0
BUSY = b"SIP/2.0 486 Busy Here\r\nCall-ID: a\r\n\r\n"
SLOVAK = BUSY.replace(b"Busy Here", "Obsadené".encode())
REQUEST = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: a\r\n\r\n"
PHRASES = Translator("sk", {"anna": "de"})


@dataclass
class Bench:
    """A sender, the lender of the edge's sockets, and a phone."""

    context: OwningContext
    endpoints: Endpoints
    sender: Sender
    lender: Lender
    phone: socket.socket

    @property
    def flow(self) -> bytes:
        return packed("127.0.0.1", self.phone.getsockname()[1])

    def request(self, raw: bytes = REQUEST) -> list[Any]:
        return [self.flow, raw]

    def response(self, user: str = "", raw: bytes = BUSY) -> list[Any]:
        return [self.flow, raw, user, ""]

    def open(self) -> None:
        """The direct way."""
        assert self.sender.take_tables(PHRASES.to_wire(), 0.0)
        self.sender.handle_timer(HEAD_START_S)
        self.lender.lend()
        self.sender.handle_timer(1.0)
        assert not self.sender.is_direct
        self.sender.handle_timer(1.0 + HEAD_START_S)
        assert self.sender.is_direct

    def received(self, count: int) -> list[bytes]:
        return [self.phone.recv(2000) for _ in range(count)]

    def inbox(self, name: str) -> Any:
        inbox = bind_inbox(self.context, self.endpoints.inbox(name))
        peer = next(each.peer for each in self.sender.outboxes if each.peer.name == f"{name}.0")
        until = time.monotonic() + LIMIT_S
        while not peer.takes_frames:
            assert time.monotonic() < until, f"{name} was never reached"
        return inbox


@pytest.fixture
def bench() -> Iterator[Bench]:
    context = OwningContext()
    sockets = bind_sockets("", 0)
    with (
        tempfile.TemporaryDirectory(prefix="sb") as directory,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(LIMIT_S)
        path = Path(directory) / NAME
        endpoints = Endpoints(Path(directory))
        lender = Lender(path, sockets)
        sender = Sender(context, endpoints, Borrower(path))
        yield Bench(context, endpoints, sender, lender, phone)
        sender.close()
        lender.close()
        context.destroy(linger=0)
    for sock in sockets:
        sock.close()


@pytest.fixture(params=["compiled", "reference"])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "reference":
        monkeypatch.setattr(SocketSender, "send_run", lambda *_: None)
        monkeypatch.setattr(SocketSender, "send_items", lambda *_: None)
        monkeypatch.setattr(sender_module, "Phrasing", PhrasingInPython)


@pytest.mark.usefixtures("twin")
def test_directly_in_order_with_the_phrases_of_the_readers(bench: Bench) -> None:
    bench.open()
    bench.sender.put(bench.request())
    run = [bench.response(), bench.response("anna"), bench.request()]
    bench.sender.put_packed(3, b"".join(map(codec.pack, run)))
    bench.sender.flush()
    german = BUSY.replace(b"Busy Here", b"Besetzt")
    assert bench.received(4) == [REQUEST, SLOVAK, german, REQUEST]
    stats = bench.sender.stats()
    assert (stats["sent"], stats["failed"], stats["responses.4xx"], stats["untranslated"]) == (4, 0, 2, 0)


@pytest.mark.usefixtures("twin")
def test_what_cannot_be_sent_is_counted(bench: Bench) -> None:
    bench.open()
    bench.sender.put([packed("no address", 5060), REQUEST])
    bench.sender.put(bench.request())
    bench.sender.flush()
    assert bench.received(1) == [REQUEST]
    assert (bench.sender.stats()["sent"], bench.sender.stats()["failed"]) == (1, 1)


def test_without_tables_responses_go_by_way_of_the_translator_with_what_is_beside_them(bench: Bench) -> None:
    translator = bench.inbox("translator")
    bench.sender.handle_timer(0.0)
    bench.lender.lend()
    bench.sender.handle_timer(1.0)
    bench.sender.put(bench.request())
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert next_frame(translator) == ("sip.translate", [bench.request(), bench.response()])


def test_without_tables_requests_go_to_the_edge(bench: Bench) -> None:
    edge = bench.inbox("edge-tx")
    bench.sender.put(bench.request())
    bench.sender.flush()
    assert next_frame(edge) == ("sip.send", [bench.request()])
    assert bench.sender.stats()["sends_directly"] == 0


@pytest.mark.usefixtures("twin")
def test_with_tables_alone_all_goes_by_way_of_the_edge_with_phrases(bench: Bench) -> None:
    edge = bench.inbox("edge-tx")
    bench.sender.take_tables(PHRASES.to_wire(), 0.0)
    bench.sender.handle_timer(HEAD_START_S)
    bench.sender.put(bench.request())
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert next_frame(edge) == ("sip.send", [bench.request(), [bench.flow, SLOVAK]])
    stats = bench.sender.stats()
    assert (stats["sends_directly"], stats["responses.4xx"], stats["untranslated"]) == (0, 1, 0)


def test_past_a_translator_that_is_away(bench: Bench) -> None:
    edge = bench.inbox("edge-tx")
    bench.sender.put(bench.request())
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert next_frame(edge) == ("sip.send", [bench.request(), [bench.flow, BUSY]])
    assert bench.sender.stats()["untranslated"] == 1


def test_what_took_the_way_round_has_a_start(bench: Bench) -> None:
    assert bench.sender.take_tables(PHRASES.to_wire(), 0.0)
    bench.sender.handle_timer(HEAD_START_S)
    bench.lender.lend()
    bench.sender.handle_timer(1.0)
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert bench.sender.due_at == 1.0 + HEAD_START_S
    assert bench.sender.stats()["sent"] == 0
    bench.sender.handle_timer(bench.sender.due_at)
    bench.sender.flush()
    assert bench.received(1) == [SLOVAK]


def test_what_still_waits_for_others_goes_first_when_the_way_opens(bench: Bench) -> None:
    bench.sender.put(bench.request())
    bench.sender.flush()
    assert sum(outbox.waiting for outbox in bench.sender.outboxes) == 1, "nobody takes it"
    bench.open()
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert bench.received(2) == [REQUEST, SLOVAK]


def test_when_the_lender_has_gone_others_send_again(bench: Bench) -> None:
    edge = bench.inbox("edge-tx")
    bench.open()
    bench.lender.close()
    bench.sender.handle_timer(bench.sender.due_at)
    assert not bench.sender.is_direct
    bench.sender.put(bench.request())
    bench.sender.flush()
    assert next_frame(edge) == ("sip.send", [bench.request()])


def test_new_tables_are_in_force_at_once(bench: Bench) -> None:
    bench.open()
    assert bench.sender.take_tables(Translator("hu", {}).to_wire(), 2.0)
    assert bench.sender.is_direct
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert bench.received(1) == [BUSY.replace(b"Busy Here", b"Foglalt")]
    assert not bench.sender.take_tables(["hu"], 2.0)


def test_a_tap_is_shown_the_wire(bench: Bench) -> None:
    """What left, as edge-tx would have been told it."""
    places = bench.endpoints.listen("router.0", SocketKind.PUBLISHER)
    bench.sender.tap = tap = Tap(bench.context, places, "router.0")
    listener = bench.context.socket(zmq.SUB)
    listener.connect(str(bench.endpoints.publisher("router", 0)))
    listener.subscribe(topic_of(0))
    until = time.monotonic() + LIMIT_S
    while not tap.is_open:
        assert time.monotonic() < until, "the tap was never asked"
        tap.look()
    bench.open()
    bench.sender.put(bench.response())
    bench.sender.flush()
    tap.tell()
    _, (owner, number, ((_, peer, frame),)) = frames.unpack(listener.recv())
    assert (owner, number, peer) == ("router.0", 1, "")
    assert frames.unpack(frame) == ("sip.send", [[bench.flow, SLOVAK]])
    assert bench.received(1) == [SLOVAK]


@pytest.mark.usefixtures("twin")
def test_what_leaves_is_told(bench: Bench) -> None:
    told: list[bytes] = []
    bench.open()
    bench.sender.tell_frames(told.append)
    bench.sender.put(bench.response())
    bench.sender.flush()
    assert [frames.unpack(frame) for frame in told] == [("sip.send", [[bench.flow, SLOVAK]])]


STATUS_LINES = st.sampled_from(
    [b"SIP/2.0 100 Trying", b"SIP/2.0 180 x", b"SIP/2.0 200 OK", b"SIP/2.0 200 \tok ", b"SIP/2.0 200 Yes"]
    + [
        b"SIP/2.0 486 Busy",
        b"sip/2.0 486 Busy",
        b"SIP/2.0 799 x",
        b"SIP/2.0 486",
        b"OPTIONS sip:a SIP/2.0",
        b"",
    ]
)
ITEMS = st.tuples(STATUS_LINES | st.binary(max_size=20), st.sampled_from(["", "anna", "x"]), st.booleans())


@needs_compiled_core
@given(st.lists(ITEMS, max_size=6))
def test_the_twins_send_the_same(items: list[tuple[bytes, str, bool]]) -> None:
    sockets = bind_sockets("127.0.0.1", 0)
    with sockets[0], socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(LIMIT_S)
        flow = packed("127.0.0.1", phone.getsockname()[1])
        run: list[list[Any]] = [
            [flow, line + b"\r\nX: y\r\n\r\n", *([user, ""] if reads else [])] for line, user, reads in items
        ]
        by_class = [0] * 7
        counts = SocketSender(sockets).send_run(
            len(run), b"".join(map(codec.pack, run)), Phrasing(PHRASES), by_class
        )
        assert counts == (len(run), 0)
        assert [phone.recv(2000) for _ in run] == [
            PHRASES.translate(raw, *reader) if reader else raw for _, raw, *reader in run
        ]


@needs_compiled_core
@given(st.integers(0, 70), st.binary(max_size=4), st.integers(0, 4))
def test_a_run_that_is_odd_is_left_to_the_reference(cut: int, octets: bytes, count: int) -> None:
    """Spoilt anywhere, or counted wrongly: it is sent whole, or not at all."""
    sockets = bind_sockets("127.0.0.1", 0)
    with sockets[0]:
        sender = SocketSender(sockets)
        run = codec.pack([packed("127.0.0.1", 9, "127.0.0.1"), REQUEST]) * 2
        counts = sender.send_run(count, run[:cut] + octets + run[cut + 1 :], Phrasing(PHRASES), [0] * 7)
        assert counts is None or sum(counts) == count


@pytest.mark.usefixtures("twin")
def test_what_is_no_run_is_counted_and_goes_nowhere(bench: Bench) -> None:
    bench.open()
    bench.sender.put_packed(2, codec.pack(bench.request()))
    bench.sender.flush()
    bench.sender.put(bench.request())
    bench.sender.flush()
    assert bench.received(1) == [REQUEST]
    assert (bench.sender.stats()["sent"], bench.sender.stats()["failed"]) == (1, 2)


def test_what_is_for_a_connection_goes_to_its_edge_stream(bench: Bench) -> None:
    """On each way, with its phrase; what leaves over UDP goes its own way."""
    streams, edge, translator = (bench.inbox(name) for name in ("edge-stream", "edge-tx", "translator"))
    flow = Flow(TCP, "", "127.0.0.1", 5060, connection_of(0, bytes(8))).pack()
    there, back = [flow, REQUEST], [flow, BUSY, "", "sk"]
    for each in (there, bench.request()):
        bench.sender.put(each)
    bench.sender.flush()
    assert next_frame(streams) == ("sip.send", [there])
    assert next_frame(edge) == ("sip.send", [bench.request()])
    for each in (there, back):
        bench.sender.put(each)
    bench.sender.flush()
    assert next_frame(translator) == ("sip.translate", [there, back]), "it passes them on"
    assert bench.sender.take_tables(PHRASES.to_wire(), 0.0)
    bench.sender.handle_timer(HEAD_START_S)
    for each in (there, bench.request(), back):
        bench.sender.put(each)
    bench.sender.flush()
    assert next_frame(streams) == ("sip.send", [there, [flow, SLOVAK]])
    assert next_frame(edge) == ("sip.send", [bench.request()])
    bench.open()
    for each in (there, bench.request(), back):
        bench.sender.put(each)
    bench.sender.flush()
    assert next_frame(streams) == ("sip.send", [there, [flow, SLOVAK]])
    assert bench.received(1) == [REQUEST]


def test_acks_are_sent_again_to_the_successor_of_an_edge_stream(bench: Bench) -> None:
    streams = bench.inbox("edge-stream")
    flow = Flow(TCP, "", "127.0.0.1", 5060, connection_of(0, bytes(8))).pack()
    ack = [flow, REQUEST.replace(b"OPTIONS", b"ACK")]
    for each in (ack, [flow, REQUEST]):
        bench.sender.put(each)
    bench.sender.flush()
    assert next_frame(streams) == ("sip.send", [ack, [flow, REQUEST]])
    for number in (0, 7, 0):
        bench.sender.repeat_acks(number)
    bench.sender.flush()
    assert next_frame(streams) == ("sip.send", [ack])
    assert not streams.poll(50)


@pytest.fixture
def two_edges() -> Iterator[Bench]:
    """The edge of this host is at 127.0.0.1; another one has 127.0.0.2."""
    context = OwningContext()
    sockets = bind_sockets("", 0)
    by_address = {packed_address("127.0.0.1"): (0,), packed_address("127.0.0.2"): (1,)}
    with (
        tempfile.TemporaryDirectory(prefix="sb") as directory,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(LIMIT_S)
        endpoints, path = Endpoints(Path(directory)), Path(directory) / NAME
        lender = Lender(path, sockets)
        sender = Sender(context, endpoints, Borrower(path), edges=Edges(2, by_address, here=0))
        yield Bench(context, endpoints, sender, lender, phone)
        sender.close()
        lender.close()
        context.destroy(linger=0)
    for sock in sockets:
        sock.close()


def leaving_from(bench: Bench, local: str) -> bytes:
    return udp("127.0.0.1", bench.phone.getsockname()[1], local).pack()


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize("is_shown", [False, True])
def test_of_several_edges_what_is_another_ones_leaves_there(two_edges: Bench, is_shown: bool) -> None:
    bench, shown = two_edges, list[bytes]()
    bench.open()
    if is_shown:
        bench.sender.tell_frames(shown.append)
    other = PackedInbox(bench, 1)
    run = [
        [leaving_from(bench, "127.0.0.1"), BUSY, "anna", ""],
        [leaving_from(bench, "127.0.0.2"), BUSY, "anna", ""],
        [leaving_from(bench, ""), REQUEST],
    ]
    bench.sender.put_packed(3, b"".join(map(codec.pack, run)))
    bench.sender.flush()
    german = BUSY.replace(b"Busy Here", b"Besetzt")
    assert bench.received(2) == [german, REQUEST]
    assert other.next() == ("sip.send", [[leaving_from(bench, "127.0.0.2"), german]])
    assert bench.sender.stats()["sent"] == 2
    assert b"".join(shown).count(b"Besetzt") == is_shown


@needs_compiled_core
def test_of_several_edges_a_run_of_this_ones_leaves_at_once(two_edges: Bench) -> None:
    two_edges.open()
    assert two_edges.sender.direct is not None
    batches, phrasing, by_class = two_edges.sender.direct
    own, others = (
        codec.pack([leaving_from(two_edges, local), REQUEST]) for local in ("127.0.0.1", "127.0.0.2")
    )
    assert batches.send_run(2, own + own, phrasing, by_class) == (2, 0)
    assert two_edges.received(2) == [REQUEST] * 2
    assert batches.send_run(2, own + others, phrasing, by_class) is None


class PackedInbox:
    """That of edge-tx.N, once the sender reaches it."""

    def __init__(self, bench: Bench, number: int) -> None:
        self._inbox = bind_inbox(bench.context, bench.endpoints.inbox("edge-tx", number))
        peer = next(each.peer for each in bench.sender.outboxes if each.peer.name == f"edge-tx.{number}")
        until = time.monotonic() + LIMIT_S
        while not peer.takes_frames:
            assert time.monotonic() < until, f"edge-tx.{number} was never reached"

    def next(self) -> Any:
        """The next frame."""
        return next_frame(self._inbox)
