"""Connections over real TCP and ZeroMQ; the worker's loop runs in this process, its keeper in a thread."""

import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zmq
from bus.contexts import OwningContext
from bus.inbox import bind_inbox, next_frame
from transports.keepers import KeeperThread

from switchboard.bus import frames
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.loop import Loop
from switchboard.bus.peer import Peer
from switchboard.settings.model import Settings
from switchboard.sip.flow import TCP, Flow, connection_of, is_secure
from switchboard.sip.scan import scan
from switchboard.transports import dialling
from switchboard.transports.keeper_words import NAME
from switchboard.workers.edge_stream import EdgeStream

LIMIT_S = 20.0
LIFE = "first"


def request(method: str = "INVITE", call_id: str = "a", body: str = "") -> bytes:
    return (
        f"{method} sip:lukas@switchboard.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK1\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:lukas@b>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def forwarded(router: int = 1) -> bytes:
    via = f"Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKsb{router}.x\r\nVia:"
    return request().replace(b"Via:", via.encode(), 1)


def response(method: str = "OPTIONS", port: int = 5070, status: str = "200 OK") -> bytes:
    return (
        f"SIP/2.0 {status}\r\nVia: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:lukas@b>;tag=2\r\nCall-ID: a\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def long_response() -> bytes:
    body = b"x" * 60_000
    return response().replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body


class Edge:
    """The service, its keeper, and the inboxes of all who may hear from it."""

    def __init__(
        self, directory: Path, transport: int = TCP, is_compiled: bool = True, **settings: Any
    ) -> None:
        self.is_compiled, self.transport = is_compiled, transport
        self.settings = Settings(data_dir=directory, routers=2, domains=("switchboard.test",), **settings)
        self.settings.run_dir.mkdir(exist_ok=True)
        self.keeper = KeeperThread(self.settings.run_dir / NAME, transport=transport)
        self.context = OwningContext()
        self.endpoints = Endpoints(self.settings.run_dir)
        registrars = [("registrar", number) for number in range(self.settings.registrars)]
        peers = [("router", 0), ("router", 1), *registrars]
        self.inboxes: dict[str, zmq.Socket[bytes]] = {
            f"{name}.{number}": bind_inbox(self.context, self.endpoints.inbox(name, number))
            for name, number in peers
        }
        self.marks: dict[str, list[float]] = {name: [] for name in self.inboxes}
        self.phones: list[socket.socket] = []
        self.start()

    def start(self, *early: tuple[bytes, bytes]) -> None:
        """Another process has the connections. `early`: what it is to send before it has them."""
        self.service = EdgeStream(self.settings, self.context, 0)
        self.service.receive("sip.send", [list(item) for item in early], time.monotonic())
        if not self.is_compiled:
            self.service.fast_path = None
            output = self.service._streams.parts.output
            output.begin = output.begin_in_python
        self.loop = Loop(self.service, self.context, self.endpoints)
        self.sender = Peer(self.context, self.endpoints.inbox("edge-stream"))
        self.serve_until(self.service.is_ready)
        for marks in self.marks.values():
            marks.clear()

    def die(self) -> None:
        """The process is gone, and has tidied up nothing but its descriptors."""
        self.sender.close()
        self.loop.close()
        self.service._streams.close()
        self.service._routers.close()
        self.service._link.close()

    def close(self) -> None:
        for phone in self.phones:
            phone.close()
        self.service.close()
        self.context.destroy(linger=0)
        self.keeper.close()

    def serve_until(self, check: Callable[[], Any]) -> Any:
        until = time.monotonic() + LIMIT_S
        while not (found := check()):
            assert time.monotonic() < until, self.service.stats()
            self.loop.rounds.round(0.01)
        return found

    def connect(self) -> socket.socket:
        """A phone; in TLS it is accepted when it says something."""
        before = self.adopted
        phone = self.keeper.connect()
        self.phones.append(phone)
        if not is_secure(self.transport):
            self.serve_until(lambda: self.adopted > before)
        return phone

    @property
    def adopted(self) -> int:
        """Connections that this process has or had."""
        return self.service._streams.count + self.service._streams.causes.total()

    def heard(self, name: str) -> list[Any]:
        """The items that a receiver has got; its marks are kept."""
        found: list[Any] = []
        while self.inboxes[name].poll(0):
            subject, body = frames.unpack(self.inboxes[name].recv())
            if subject == "sip.mark":
                self.marks[name].append(body[1])
            elif subject == "sip.received":
                found += body
        return found

    def items(self, count: int = 1) -> list[Any]:
        """That number of items, whoever got them."""
        found: list[Any] = []

        def look() -> bool:
            for name in self.inboxes:
                found.extend(self.heard(name))
            return len(found) >= count

        self.serve_until(look)
        assert len(found) == count
        return found

    def take_all(self, life: str = LIFE) -> None:
        """The receivers say that they have taken all."""

        def is_taken() -> bool:
            for name, marks in self.marks.items():
                self.heard(name)
                if marks:
                    stamp = marks.pop()
                    assert self.sender.send("sip.taken", [name, stamp, life, stamp])
            return all(each.due_at() is None for each in self.service._receivers)

        self.serve_until(is_taken)

    def send(self, flow: bytes, raw: bytes) -> None:
        self.serve_until(lambda: self.sender.send("sip.send", [[flow, raw]]))

    def got(self, phone: socket.socket, size: int) -> bytes:
        """The next octets that the phone gets."""
        phone.setblocking(False)
        found = b""

        def look() -> bool:
            nonlocal found
            try:
                found += phone.recv(size - len(found))
            except BlockingIOError:
                return False
            return len(found) >= size

        self.serve_until(look)
        return found

    def is_closed(self, phone: socket.socket) -> bool:
        phone.setblocking(False)
        try:
            return phone.recv(1 << 16) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def ended(self) -> dict[str, float]:
        stats = self.service.stats()
        return {
            name.removeprefix("ended."): count for name, count in stats.items() if name.startswith("ended.")
        }


@pytest.fixture(params=["compiled", "reference"])
def edge(request: pytest.FixtureRequest) -> Iterator[Edge]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        edge = Edge(Path(directory), is_compiled=request.param == "compiled")
        yield edge
        edge.close()


def test_a_request_reaches_a_router_with_its_flow_and_offsets(edge: Edge) -> None:
    phone = edge.connect()
    raw = request()
    phone.sendall(raw[:40])
    phone.sendall(raw[40:])
    ((flow, index, got),) = edge.items()
    assert (index, got) == (scan(raw), raw)
    found = Flow.unpack(flow)
    assert (found.transport, found.local, found.hop) == (TCP, "127.0.0.1", phone.getsockname())
    assert len(found.connection) == 9


def test_what_is_sent_along_a_flow_arrives_there(edge: Edge) -> None:
    phone, _other = edge.connect(), edge.connect()
    phone.sendall(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    edge.send(flow, response())
    assert edge.got(phone, len(response())) == response()


def test_a_ping_is_answered(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(b"\r\n\r\n")
    assert edge.got(phone, 2) == b"\r\n"


def test_input_is_consumed_once_it_is_taken(edge: Edge) -> None:
    """Until then a successor reads it again."""
    phone = edge.connect()
    phone.sendall(request() + request(call_id="b") + b"INV")
    assert {raw for _, _, raw in edge.items(2)} == {request(), request(call_id="b")}
    edge.die()
    edge.start()
    assert {raw for _, _, raw in edge.items(2)} == {request(), request(call_id="b")}
    edge.take_all()
    edge.die()
    edge.start()
    phone.sendall(request(call_id="c")[3:])
    assert [raw for _, _, raw in edge.items()] == [request(call_id="c")]


def test_a_successor_writes_what_was_not(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    long = long_response()
    edge.send(flow, long)
    edge.send(flow, long)
    edge.send(flow, long)
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 3)
    edge.die()
    edge.start()
    assert edge.got(phone, 3 * len(long)) == 3 * long
    assert edge.service.stats()["rings"] == 0


def test_a_successor_is_told_by_the_registrar_whose_the_connections_are(edge: Edge) -> None:
    phone, other = edge.connect(), edge.connect()
    for each in (phone, other):
        each.sendall(request("REGISTER"))
    flows = [connection.flow.connection for connection in edge.service._streams]
    edge.items(2)
    edge.take_all()
    edge.die()
    edge.start()

    def is_asked() -> bool:
        subject, body = next_frame(edge.inboxes["registrar.0"])
        return (subject, body) == ("stream.restarted", [0])

    edge.serve_until(is_asked)
    first, second = edge.service._streams
    second.user = "eva"
    named = [[flows[0], "lukas"], [flows[1], "lenka"], [b"\0gone", "karel"], "nonsense"]
    edge.service.receive("connection.users", named, 0.0)
    assert (first.user, second.user, edge.service.stats()["bad_items"]) == ("lukas", "eva", 1)


def test_what_comes_before_the_connections_waits_for_them(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    edge.die()
    edge.start((flow, response()))
    assert edge.got(phone, len(response())) == response()
    assert edge.service.stats()["early_dropped"] == 0


def test_what_a_dead_receiver_may_have_lost_goes_out_again(edge: Edge) -> None:
    edge.take_all()
    phone = edge.connect()
    phone.sendall(request())
    edge.items()
    edge.take_all(life="second")
    assert edge.service.stats()["handed_on_again"] == 1


def test_a_request_along_a_flow_that_is_gone_is_reported(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    edge.take_all()
    phone.close()
    edge.serve_until(lambda: edge.service._streams.count == 0)
    edge.send(flow, forwarded(router=1))

    def told() -> Any:
        if not edge.inboxes["router.1"].poll(0):
            return None
        subject, body = next_frame(edge.inboxes["router.1"])
        return body if subject == "sip.undeliverable" else None

    assert edge.serve_until(told) == [[flow, forwarded(router=1)]]


@pytest.mark.parametrize("sent", [forwarded(router=1), b"SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\n\r\n"])
def test_the_registrar_hears_of_a_connection_that_nobody_has(edge: Edge, sent: bytes) -> None:
    """Its end was told in another life, or before the registrar bound somebody to it."""
    flow = Flow(TCP, "127.0.0.1", "127.0.0.1", 9, connection_of(0, b"unknown!")).pack()
    edge.send(flow, sent)

    def told() -> Any:
        if not edge.inboxes["registrar.0"].poll(0):
            return None
        subject, body = next_frame(edge.inboxes["registrar.0"])
        return body if subject == "connection.closed" else None

    assert edge.serve_until(told) == [[flow]]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT_S)
        yield listener


def test_a_response_whose_connection_is_gone_goes_to_its_via(edge: Edge, listener: socket.socket) -> None:
    """RFC 3261 §18.2.2."""
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    edge.take_all()
    phone.close()
    edge.serve_until(lambda: edge.service._streams.count == 0)
    raw = response(port=listener.getsockname()[1])
    edge.send(flow, raw)
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 1)
    made, _ = listener.accept()
    with made:
        assert edge.got(made, len(raw)) == raw


def test_a_connection_that_we_made_is_used_again_and_survives(edge: Edge, listener: socket.socket) -> None:
    flow = Flow(TCP, "", *listener.getsockname()).pack()
    edge.send(flow, forwarded())
    edge.send(flow, forwarded())
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 2)
    made, _ = listener.accept()
    with made:
        assert edge.got(made, 2 * len(forwarded())) == 2 * forwarded()
        made.sendall(response("INVITE").replace(b"branch=z9hG4bK1", b"branch=z9hG4bKsb1.x"))
        ((back, _, _),) = edge.items()
        edge.die()
        edge.start()
        edge.send(back, forwarded())
        assert edge.got(made, len(forwarded())) == forwarded()


def test_a_request_to_a_port_where_nobody_listens_is_reported(edge: Edge, listener: socket.socket) -> None:
    flow = Flow(TCP, "", *listener.getsockname()).pack()
    listener.close()
    edge.send(flow, forwarded(router=0))

    def told() -> Any:
        while edge.inboxes["router.0"].poll(0):
            subject, body = next_frame(edge.inboxes["router.0"])
            if subject == "sip.undeliverable":
                return body
        return None

    assert edge.serve_until(told) == [[flow, forwarded(router=0)]]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00garbage of another protocol" + bytes(200),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        request().replace(b"Content-Length: 0\r\n", b""),
        request().replace(b"Content-Length: 0", b"Content-Length: -1"),
        request().replace(b"Content-Length: 0", b"Content-Length: 999999999"),
        request().replace(b"Content-Length: 0", b"Content-Length: 0\r\nContent-Length: 4"),
        b"INVITE " + b"x" * 100_000,
    ],
    ids=["other", "http", "none", "negative", "huge", "double", "endless"],
)
def test_bad_input_ends_a_connection_and_nothing_else(edge: Edge, raw: bytes) -> None:
    phone, other = edge.connect(), edge.connect()
    phone.sendall(raw)
    edge.serve_until(lambda: edge.service._streams.count == 1)
    assert edge.ended() == {"bad_input": 1}
    edge.serve_until(lambda: edge.is_closed(phone) or None if raw[:1] != b"I" else True)
    other.sendall(request())
    edge.items()


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"", b"400"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: 0\r\nl: 4\r\n", b"400"),
        (b"Content-Length: 999999999\r\n", b"513"),
    ],
)
def test_who_is_refused_hears_why(edge: Edge, length: bytes, status: bytes) -> None:
    phone = edge.connect()
    phone.sendall(request().replace(b"Content-Length: 0\r\n", length))
    assert edge.got(phone, 12) == b"SIP/2.0 %b " % status


def test_a_reset_is_counted(edge: Edge) -> None:
    phone = edge.connect()
    phone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    phone.close()
    edge.serve_until(lambda: edge.service._streams.count == 0)
    assert edge.ended() == {"reset": 1}


def later(edge: Edge, seconds: float) -> None:
    """The limits of time, so many seconds from now."""
    edge.service._streams.handle_timer(time.monotonic() + seconds)


def test_half_a_message_is_not_waited_for_for_ever(edge: Edge) -> None:
    head, body = edge.connect(), edge.connect()
    head.sendall(request()[:100])
    body.sendall(request(body="whole")[:-1])
    whole = edge.connect()
    whole.sendall(request())
    edge.items()
    edge.serve_until(lambda: len(edge.service._streams._input.midway) == 2)
    later(edge, 29.0)
    assert edge.service._streams.count == 3
    later(edge, 31.0)
    assert edge.ended()["half_a_message"] == 2
    edge.serve_until(lambda: edge.is_closed(head) and edge.is_closed(body))
    edge.send(connection_flow(edge), response())
    assert edge.got(whole, len(response())) == response()


def connection_flow(edge: Edge) -> bytes:
    (connection,) = edge.service._streams
    return connection.flow.pack()


def test_a_peer_that_reads_nothing_is_waited_for_and_then_closed(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    edge.items()
    flow = connection_flow(edge)
    long = long_response()
    while not edge.service._streams._output.stalled:
        edge.send(flow, long)
        edge.loop.rounds.round(0.01)
    later(edge, 29.0)
    assert edge.service._streams.count == 1
    later(edge, 31.0)
    assert edge.ended() == {"does_not_read": 1}
    assert edge.service.stats()["rings"] == 0


def test_what_waits_for_a_peer_is_bounded(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    edge.items()
    flow = connection_flow(edge)
    long = long_response()

    def is_over() -> bool:
        if edge.service._streams.count:
            edge.sender.send("sip.send", [[flow, long]])
        return bool(edge.ended())

    edge.serve_until(is_over)
    assert edge.ended() == {"does_not_read": 1}


def test_a_reset_in_the_middle_of_a_message_of_ours(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    edge.items()
    edge.take_all()
    flow = connection_flow(edge)
    while not edge.service._streams._output.stalled:
        edge.send(flow, long_response())
        edge.loop.rounds.round(0.01)
    phone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    phone.close()
    edge.serve_until(lambda: edge.service._streams.count == 0)
    assert (edge.ended(), edge.service.stats()["rings"]) == ({"reset": 1}, 0)


def test_only_strangers_are_closed_for_their_silence(edge: Edge) -> None:
    silent, asked, called = (edge.connect() for _ in range(3))
    asked.sendall(request("OPTIONS"))
    called.sendall(request("REGISTER"))
    flows = {raw[:7]: flow for flow, _, raw in edge.items(2)}
    edge.send(flows[b"OPTIONS"], response(status="401 Unauthorized"))
    edge.send(flows[b"REGISTE"], response("REGISTER"))
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 2)
    later(edge, 31.0)
    edge.serve_until(lambda: edge.is_closed(silent))
    later(edge, 200.0)
    edge.serve_until(lambda: edge.service._streams.count == 1)
    assert edge.ended() == {"idle_stranger": 2}
    later(edge, 40_000.0)
    assert edge.service._streams.count == 1
    later(edge, 45_000.0)
    assert edge.ended() == {"idle_stranger": 2, "idle": 1}


def test_the_registrar_hears_of_the_end_of_whoever_was_known(edge: Edge) -> None:
    phone, stranger = edge.connect(), edge.connect()
    phone.sendall(request("REGISTER"))
    ((flow, _, _),) = edge.items()
    edge.send(flow, response("REGISTER"))
    edge.got(phone, len(response("REGISTER")))
    edge.take_all()
    stranger.close()
    phone.close()

    def told() -> Any:
        while edge.inboxes["registrar.0"].poll(0):
            subject, body = next_frame(edge.inboxes["registrar.0"])
            if subject == "connection.closed":
                return body
        return None

    assert edge.serve_until(told) == [[flow]]


def test_a_request_is_reported_if_its_connection_ends_at_once(edge: Edge) -> None:
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    edge.take_all()
    edge.send(flow, forwarded(router=1))
    edge.got(phone, len(forwarded()))
    phone.close()

    def told() -> Any:
        while edge.inboxes["router.1"].poll(0):
            subject, body = next_frame(edge.inboxes["router.1"])
            if subject == "sip.undeliverable":
                return body
        return None

    assert edge.serve_until(told) == [[flow, forwarded(router=1)]]


def test_no_descriptor_is_left_behind(edge: Edge) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    edge.connect().close()
    edge.serve_until(lambda: edge.service._streams.count == 0 and edge.keeper.keeper.count == 0)
    before = files()
    for number in range(50):
        phone = edge.connect()
        if number % 2:
            phone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if number % 3:
            phone.sendall(request()[: 40 * number])
        phone.close()
    edge.serve_until(lambda: edge.service._streams._input.waiting or not edge.service._streams.count)
    edge.take_all()
    edge.serve_until(lambda: edge.service._streams.count == 0 and edge.keeper.keeper.count == 0)
    assert files() == before


def test_of_those_that_are_dialled_at_one_host_the_oldest_gives_way(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers has answered before."""
    monkeypatch.setattr(dialling, "SHARE_OF_HOST", 2)
    edge.die()
    edge.start()
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        flows = [Flow(TCP, "127.0.0.1", *each.getsockname()).pack() for each in listeners]
        edge.service.receive("sip.send", [[flow, forwarded(router=1)] for flow in flows], time.monotonic())
        edge.serve_until(lambda: sum(each.backlog is None for each in edge.service._streams) == 2)
    assert edge.ended() == {"not_made": 1}

    def told() -> Any:
        if not edge.inboxes["router.1"].poll(0):
            return None
        subject, body = next_frame(edge.inboxes["router.1"])
        return body if subject == "sip.undeliverable" else None

    assert edge.serve_until(told) == [[flows[0], forwarded(router=1)]]


@pytest.fixture(params=["compiled", "reference"])
def shared(request: pytest.FixtureRequest) -> Iterator[Edge]:
    """Of a switchboard with two registrars."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        edge = Edge(
            Path(directory),
            is_compiled=request.param == "compiled",
            registrars=2,
            location="redis://127.0.0.1:1",
        )
        yield edge
        edge.close()


def test_what_a_registrar_has_not_taken_goes_to_the_other_one(shared: Edge) -> None:
    """A phone does not send it again; what was taken stays where it was."""
    shared.take_all()
    phone = shared.connect()
    raws = [
        re.sub(rb"To: <[^>]*>", b"To: <sip:%d@h>" % user, request("REGISTER", call_id=f"c{user}"))
        for user in range(20)
    ]
    phone.sendall(b"".join(raws))
    shared.serve_until(lambda: sum(each.put_count for each in shared.service._registers) == 20)
    first, second = (each.put_count for each in shared.service._registers)
    assert (first > 0, second > 0) == (True, True)
    shared.items(20)
    shared.service._dispatcher.let_register([0])
    shared.service._let_others_register(1)
    handed_on = [raw for _, _, raw in shared.items(second)]
    assert set(handed_on) < set(raws)
    shared.take_all()


def test_both_registrars_hear_of_a_connection_that_ends(shared: Edge) -> None:
    phone = shared.connect()
    phone.sendall(request("REGISTER"))
    ((flow, _, _),) = shared.items()
    shared.take_all()
    shared.send(flow, response().replace(b"OPTIONS", b"REGISTER"))
    shared.serve_until(lambda: shared.service.stats()["messages.out"] == 1)
    phone.close()
    inboxes = [shared.inboxes[name] for name in ("registrar.0", "registrar.1")]
    shared.serve_until(lambda: all(each.poll(0) for each in inboxes))
    assert [next_frame(each) for each in inboxes] == 2 * [("connection.closed", [[flow]])]


@pytest.fixture(params=["compiled", "reference"])
def with_trunk(request: pytest.FixtureRequest) -> Iterator[Edge]:
    """Of a switchboard that registers with a provider over TCP."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        trunk = {"registrar": "127.0.0.1", "user": "481", "transport": "tcp"}
        edge = Edge(
            Path(directory),
            is_compiled=request.param == "compiled",
            transports="udp,tcp",
            trunks={"p": trunk},
        )
        yield edge
        edge.close()


def test_the_trunks_worker_hears_of_what_ends_and_of_each_start(
    with_trunk: Edge, listener: socket.socket
) -> None:
    """Also what came while it was away."""
    edge, there = with_trunk, Flow(TCP, "127.0.0.1", *listener.getsockname())
    edge.send(there.pack(), request("REGISTER"))
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 1)
    listener.accept()[0].close()
    with bind_inbox(edge.context, edge.endpoints.inbox("trunks", 0)) as inbox:
        told: dict[str, Any] = {}

        def look() -> bool:
            while inbox.poll(0):
                subject, body = next_frame(inbox)
                told[subject] = body
            return len(told) == 2

        edge.serve_until(look)
    assert told.pop("stream.restarted") == [0]
    (((packed,),),) = told.values()
    assert Flow.unpack(packed).is_same_way(there)


def test_a_connection_over_which_nobody_answers_ends(edge: Edge, listener: socket.socket) -> None:
    there = Flow(TCP, "", *listener.getsockname())
    edge.send(there.pack(), request("REGISTER"))
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 1)
    with listener.accept()[0] as made:
        others = there._replace(port=1).pack()
        edge.service.receive("connection.silent", [[others], [b"no flow"], []], time.monotonic())
        assert edge.service._streams.count == 1
        edge.service.receive("connection.silent", [[there.pack()]], time.monotonic())
        edge.got(made, len(request("REGISTER")))
        assert made.recv(1) == b""
    assert edge.ended() == {"does_not_answer": 1}
    assert edge.service.stats()["bad_items"] == 2
