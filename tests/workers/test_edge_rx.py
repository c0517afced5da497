"""The read side of the edge over real UDP and ZeroMQ; its loop runs in this process."""

import re
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq
from bus.contexts import OwningContext
from bus.inbox import bind_inbox, next_frame
from flows import packed, udp
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from switchboard import codec
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.frames import pack_received
from switchboard.bus.loop import Loop
from switchboard.edge.admission import LOOK_EVERY_S
from switchboard.edge.ingress import DATAGRAMS_A_ROUND
from switchboard.edge.undeliverable import ERRORS_A_ROUND
from switchboard.settings.model import Settings
from switchboard.sip.scan import scan
from switchboard.sip.stun import answer_to
from switchboard.transports.udp_datagrams import Sender
from switchboard.transports.udp_sockets import HAS_ERROR_QUEUE, bind_sockets
from switchboard.workers.edge_rx import REGISTERS_INTERVALS, EdgeRx

LIMIT_S = 20.0


def request(method: str = "INVITE", uri: str = "sip:lukas@switchboard.test", call_id: str = "a") -> bytes:
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:lukas@b>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def response(router: int) -> bytes:
    return (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKsb{router}.x\r\nFrom: <sip:a@b>\r\n"
        "To: <sip:lukas@b>;tag=2\r\nCall-ID: any\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@dataclass
class Edge:
    """The service, a phone, and the inboxes of all who may hear from it."""

    service: EdgeRx
    loop: Loop
    sockets: list[socket.socket]
    phone: socket.socket
    inboxes: dict[str, zmq.Socket[bytes]]

    def send(self, data: bytes, to: str = "127.0.0.1") -> None:
        self.phone.sendto(data, (to, self.sockets[0].getsockname()[1]))

    def serve_until_taken(self, datagrams: int) -> None:
        until = time.monotonic() + LIMIT_S
        while self.taken < datagrams or any(outbox.waiting for outbox in self.service.outboxes):
            assert time.monotonic() < until, f"{self.taken} of {datagrams} datagrams arrived"
            self.loop.rounds.round(0.01)

    def lose(self, sent: bytes, host: str = "127.0.0.1") -> int:
        """Send to a port at which nobody listens, which is returned."""
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
            port = int(sock.getsockname()[1])
        assert Sender(self.sockets).send(sent, udp(host, port))
        return port

    def errors(self) -> tuple[float, float, float]:
        """Told to a router, of no concern, dropped."""
        stats = self.service.stats()
        told, ignored = stats["undeliverable"], stats["undeliverable_ignored"]
        return told, ignored, stats["undeliverable_dropped"]

    def serve_until_met(self, errors: int) -> None:
        until = time.monotonic() + LIMIT_S
        while sum(self.errors()) < errors:
            assert time.monotonic() < until, f"{self.errors()} of {errors} errors were met"
            self.loop.rounds.round(0.01)

    @property
    def taken(self) -> float:
        return sum(count for name, count in self.service.stats().items() if name.startswith("datagrams."))

    def heard(self, data: bytes, to: str = "127.0.0.1") -> tuple[str, Any]:
        """Who hears of the one datagram, and the item."""
        self.send(data, to)
        self.serve_until_taken(1)
        for outbox in self.service.outboxes:
            if outbox.sent:
                item, *instants = next_frame(self.inboxes[outbox.peer.name])[1]
                assert len(instants) == (outbox.peer.name != "edge-tx.0"), "the others hear when"
                return outbox.peer.name, item
        return "nobody", None

    def datagrams(self, name: str, count: int) -> list[Any]:
        """What `name` heard, without the instants between; `count` of them."""
        found: list[Any] = []
        while len(found) < count:
            found += (item for item in next_frame(self.inboxes[name])[1] if isinstance(item, list))
        return found


@contextmanager
def open_edge(**more: Any) -> Iterator[Edge]:
    """With two routers; `more` settings."""
    context = OwningContext()
    sockets = bind_sockets("", 0)
    phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    phone.bind(("127.0.0.1", 0))
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        settings = Settings(data_dir=Path(directory), routers=2, domains=("switchboard.test",), **more)
        settings.run_dir.mkdir()
        endpoints = Endpoints(settings.run_dir)
        registrars = [("registrar", number) for number in range(settings.registrars)]
        peers = [("router", 0), ("router", 1), *registrars, ("edge-tx", 0)]
        inboxes = {
            f"{name}.{number}": bind_inbox(context, endpoints.inbox(name, number)) for name, number in peers
        }
        service = EdgeRx(settings, context, 0, sockets)
        yield Edge(service, Loop(service, context, endpoints), sockets, phone, inboxes)
        context.destroy(linger=0)
    for sock in (*sockets, phone):
        sock.close()


@pytest.fixture
def edge() -> Iterator[Edge]:
    with open_edge() as edge:
        yield edge


def flow(edge: Edge, local: str) -> bytes:
    return packed("127.0.0.1", edge.phone.getsockname()[1], local)


def test_a_request_reaches_a_router_with_its_offsets(edge: Edge) -> None:
    raw = request()
    name, item = edge.heard(raw, to="127.0.0.2")
    assert name in ("router.0", "router.1")
    assert item == [flow(edge, "127.0.0.2"), scan(raw), raw]


def test_empty_lines_before_the_start_line_are_taken_off(edge: Edge) -> None:
    raw = request()
    _, item = edge.heard(b"\r\n\r\n" + raw)
    assert item[1:] == [scan(raw), raw]


@pytest.mark.parametrize("router", [0, 1])
def test_a_response_reaches_the_router_whose_branch_it_bears(edge: Edge, router: int) -> None:
    assert edge.heard(response(router))[0] == f"router.{router}"


@pytest.mark.parametrize(
    ("uri", "registrar"), [("sip:switchboard.test", True), ("sip:elsewhere.test", False)]
)
def test_a_register_of_ours_reaches_the_registrar(edge: Edge, uri: str, registrar: bool) -> None:
    assert (edge.heard(request("REGISTER", uri))[0] == "registrar.0") is registrar


def test_datagrams_of_one_call_stay_together_and_in_order(edge: Edge) -> None:
    raws = [request(method) for method in ("INVITE", "ACK", "BYE")]
    for raw in raws:
        edge.send(raw)
    edge.serve_until_taken(len(raws))
    (router,) = (outbox.peer.name for outbox in edge.service.outboxes if outbox.sent)
    assert [item[2] for item in edge.datagrams(router, len(raws))] == raws


def test_calls_are_shared_among_the_routers(edge: Edge) -> None:
    for number in range(50):
        edge.send(request(call_id=f"call-{number}"))
    edge.serve_until_taken(50)
    shares = [len(edge.datagrams(f"router.{number}", 1)) for number in range(2)]
    assert sum(shares) <= 50
    assert all(shares)


def test_a_round_takes_a_bounded_number_of_datagrams(edge: Edge) -> None:
    for _ in range(DATAGRAMS_A_ROUND + 1):
        edge.send(b"\0")
    edge.loop.rounds.round(LIMIT_S)
    assert edge.taken == DATAGRAMS_A_ROUND
    edge.serve_until_taken(DATAGRAMS_A_ROUND + 1)


def test_under_load_datagrams_gather_for_a_tick(edge: Edge) -> None:
    assert edge.loop.rounds.pause_s() == 0.0
    until = time.monotonic() + LIMIT_S
    while not edge.loop.rounds.pause_s():
        assert time.monotonic() < until, "it never waits"
        for _ in range(20):
            edge.send(b"\0")
        edge.loop.rounds.round(0.01)
    assert edge.loop.rounds.pause_s() == 0.0, "nothing has come since"


def test_registers_alone_gather_for_longer_and_leave_in_fewer_frames(edge: Edge) -> None:
    until = time.monotonic() + LIMIT_S
    pauses = {0.0}
    while max(pauses) < REGISTERS_INTERVALS * edge.service._settings.tick_s:
        assert time.monotonic() < until, "it never waits for so long"
        for _ in range(20):
            edge.send(request("REGISTER", "sip:switchboard.test"))
        edge.loop.rounds.round(0.01)
        pauses.add(edge.loop.rounds.pause_s())
    assert pauses == {0.0, REGISTERS_INTERVALS * edge.service._settings.tick_s}


def test_a_ping_has_its_pong_from_where_it_came_to(edge: Edge) -> None:
    assert edge.heard(b"\r\n\r\n", to="127.0.0.2") == ("edge-tx.0", [flow(edge, "127.0.0.2"), b"\r\n"])


def test_a_stun_request_is_answered_from_where_it_came_to(edge: Edge) -> None:
    request = bytes.fromhex("000100002112a442") + b"twelve bytes"
    to, answer = edge.heard(request, to="127.0.0.2")
    assert (to, answer) == (
        "edge-tx.0",
        [flow(edge, "127.0.0.2"), answer_to(request, *edge.phone.getsockname())],
    )


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (b"", "datagrams.keep_alive"),
        (b"\r\n", "datagrams.keep_alive"),
        (b"\0\0\0\0", "datagrams.keep_alive"),
        (bytes.fromhex("001100002112a442") + bytes(12), "datagrams.stun"),
        (b"jaK\r\n", "dropped"),
        (b"SIP/2.0 200 OK\r\n\r\n", "dropped"),
        (b"\xff" * 1000, "dropped"),
    ],
)
def test_what_wants_no_answer_gets_none_and_is_counted(edge: Edge, data: bytes, counter: str) -> None:
    assert edge.heard(data) == ("nobody", None)
    assert edge.service.stats()[counter] == 1


def test_a_request_that_cannot_be_scanned_reaches_a_router_without_offsets(edge: Edge) -> None:
    raw = b"INVITE sip:lukas@switchboard.test SIP/2.0\r\nno header at all\r\n\r\n"
    assert edge.heard(raw) == ("router.0", [flow(edge, "127.0.0.1"), b"", raw])
    assert edge.service.stats()["refused"] == 1


def test_own_addresses_are_looked_at_again(edge: Edge) -> None:
    before = edge.service.next_deadline()
    edge.service.handle_timer(before)
    assert edge.service.next_deadline() > before
    assert edge.heard(request("REGISTER", "sip:127.0.0.1"))[0] == "registrar.0"


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, 300), st.binary(max_size=30)).map(
        lambda cut: request("REGISTER")[: cut[0]] + cut[1] + request("REGISTER")[cut[0] :]
    )
    | st.binary(max_size=60).map(
        lambda junk: b"INVITE " + junk + b" SIP/2.0\r\nRoute: <" + junk + response(0)[16:]
    )
)
def test_no_datagram_can_stop_it(edge: Edge, data: bytes) -> None:
    before = edge.taken
    edge.service._ingress.take(data, udp("127.0.0.1", 5060, "127.0.0.1"), 100.0)
    assert edge.taken == before + 1


def test_while_the_registrar_is_late_phones_are_told_to_come_back(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a second for each REGISTER; the time is advanced by hand."""
    clock = [1000.0]
    monkeypatch.setattr("switchboard.edge.admission._moment", lambda: clock[0])
    register = partial(request, "REGISTER", "sip:switchboard.test")
    inbox = edge.inboxes["registrar.0"]
    for number in range(5):
        clock[0] += 1.0
        edge.loop.rounds.round(2 * LOOK_EVERY_S)  # nothing comes; after so long the next one is stamped
        edge.send(register(call_id=f"early-{number}"))
        edge.serve_until_taken(number + 1)
        assert isinstance(next_frame(inbox)[1][-1], float), "each is stamped"
    now = time.monotonic()
    for stamp, past_s in ((1001.0, 0.4), (1002.0, 0.2), (1003.0, 0.0)):
        edge.service.receive("sip.taken", ["registrar.0", stamp], now - past_s)
        edge.service._loads.look(now - past_s)
        clock[0] += 1.0
    assert edge.service.stats()["registrar.0.lag_ms"] >= 2000
    raw = register(call_id="late").replace(b"Content-Length", b"Subject: any\r\n" * 20 + b"Content-Length")
    for again in range(2):
        edge.send(raw)
        edge.serve_until_taken(6 + again)
        (item,) = next_frame(edge.inboxes["edge-tx.0"])[1]
        assert item[1].startswith(b"SIP/2.0 503 ")
        assert b"\r\nRetry-After: " in item[1]
    edge.send(request())
    edge.serve_until_taken(8)
    assert any(outbox.sent for outbox in edge.service.outboxes if "router" in outbox.peer.name)


def test_who_registered_is_heard_beside_a_flooder_of_the_same_address(edge: Edge) -> None:
    edge.service.receive(
        "source.registered", [[packed("192.0.2.1", 5060)], "nonsense", [b"nonsense"]], time.monotonic()
    )
    phones = edge.service._edge_filter.sources.phones
    assert phones.hears("192.0.2.1", 5060, time.monotonic())
    assert not phones.hears("192.0.2.1", 5061, time.monotonic())
    assert edge.service.stats()["bad_items"] == 2


def forwarded(router: int, method: str = "INVITE") -> bytes:
    own = f"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKsb{router}.x.1\r\nVia: "
    return request(method).replace(b"Via: ", own.encode())


needs_error_queue = pytest.mark.skipif(not HAS_ERROR_QUEUE, reason="Linux tells errors")


@needs_error_queue
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("router", [0, 1])
def test_the_router_of_a_request_hears_that_it_is_lost(edge: Edge, host: str, router: int) -> None:
    wait_for(edge, router)
    sent = forwarded(router) + b"v=0\r\n" * 1000
    port = edge.lose(sent, host)
    edge.serve_until_met(1)
    subject, ((there, quoted),) = next_frame(edge.inboxes[f"router.{router}"])
    assert (subject, there) == ("sip.undeliverable", packed(host, port))
    assert sent.startswith(quoted)
    assert len(forwarded(router)) < len(quoted)
    assert edge.errors() == (1, 0, 0)


@needs_error_queue
@pytest.mark.parametrize("sent", [response(0), b"\r\n", forwarded(0).replace(b"sb0.", b"."), b"\xff"])
def test_a_loss_that_concerns_no_request_of_ours_is_counted(edge: Edge, sent: bytes) -> None:
    edge.lose(sent)
    edge.serve_until_met(1)
    assert edge.errors() == (0, 1, 0)


@needs_error_queue
def test_a_router_that_is_behind_is_not_told(edge: Edge) -> None:
    """What came before a loss was told must not be overtaken; its timers tell it later."""
    wait_for(edge, 0)
    router = edge.service.outboxes[0]
    for _ in range(10_000):
        router.put(b"\xc0")
        router.flush()
    assert router.waiting
    edge.lose(forwarded(0))
    edge.serve_until_met(1)
    assert edge.errors() == (0, 0, 1)


@needs_error_queue
def test_a_router_that_is_away_is_not_told(edge: Edge) -> None:
    edge.inboxes["router.0"].close(linger=0)
    until = time.monotonic() + LIMIT_S
    while not edge.errors()[2]:
        assert time.monotonic() < until
        edge.lose(forwarded(0))
        edge.loop.rounds.round(0.01)


@needs_error_queue
def test_a_round_takes_a_bounded_number_of_errors(edge: Edge) -> None:
    """Datagrams come between, and each of them."""
    for number in range(ERRORS_A_ROUND + 1):
        edge.lose(response(0))
        edge.send(request(call_id=f"{number}"))
    edge.loop.rounds.round(LIMIT_S)
    assert edge.errors() == (0, ERRORS_A_ROUND, 0)
    assert edge.taken
    edge.serve_until_met(ERRORS_A_ROUND + 1)
    edge.serve_until_taken(ERRORS_A_ROUND + 1)


@needs_error_queue
def test_after_an_error_there_is_silence(edge: Edge) -> None:
    edge.lose(forwarded(0))
    edge.serve_until_met(1)
    assert not edge.loop.rounds.round(0.05)
    assert edge.service.next_deadline() > time.monotonic()


@needs_error_queue
def test_at_its_end_the_sockets_tell_no_errors_any_more(edge: Edge) -> None:
    """Whoever holds them then may give up a socket that does."""
    edge.lose(forwarded(0))
    edge.service.close()
    edge.lose(forwarded(0))
    poller = select.poll()
    for sock in edge.sockets:
        poller.register(sock, select.POLLIN)
    assert not poller.poll(20)


def wait_for(edge: Edge, router: int) -> None:
    """ZeroMQ connects on its own."""
    peer = edge.service.outboxes[router].peer
    until = time.monotonic() + LIMIT_S
    while not peer.takes_frames:
        assert time.monotonic() < until, "the router was never reached"


def test_what_waits_for_a_router_that_is_away_goes_to_the_others(edge: Edge) -> None:
    """Requests, not stamps; a response to what it sent goes by its Call-ID."""
    service = edge.service
    away, other = service.outboxes[:2]
    away.put(pack_received(flow(edge, ""), scan(request()), request()))
    away.put(codec.pack(1.0))
    away.put(pack_received(flow(edge, ""), b"", b"INVITE nonsense SIP/2.0"))
    service._dispatcher.serve([1])
    service._hand_on_rest(0)
    assert (away.waiting, other.waiting) == (0, 1)
    wait_for(edge, 1)
    other.flush()
    assert edge.datagrams("router.1", 1) == [[flow(edge, ""), scan(request()), request()]]


def test_beats_are_counted_for_routers_that_there_are(edge: Edge) -> None:
    for body in ([0, False, True], [1, True, True]):
        edge.service.receive("router.beat", body, time.monotonic())
    assert edge.service.stats()["bad_items"] == 0
    assert edge.service.notes() == ["router.1 is drained: new calls go to the other routers"]
    odd: list[Any] = [[2, False, True], [0, 1, True], [-1, True, True], ["0", True, True], [0, True], None]
    for each in odd:
        edge.service.receive("router.beat", each, time.monotonic())
    assert edge.service.stats()["bad_items"] == len(odd)


@pytest.fixture
def shared() -> Iterator[Edge]:
    """Of a switchboard with two registrars."""
    with open_edge(registrars=2, location="redis://127.0.0.1:1") as edge:
        yield edge


def register_of(user: int) -> bytes:
    return re.sub(rb"To: <[^>]*>", b"To: <sip:%d@h>" % user, request("REGISTER", "sip:switchboard.test"))


def test_of_two_registrars_each_gets_its_users_and_those_of_one_that_is_away(shared: Edge) -> None:
    service, raws = shared.service, [register_of(user) for user in range(20)]
    for raw in raws:
        service._ingress.take(raw, udp("127.0.0.1", 5060, "127.0.0.1"), time.monotonic())
    first, second = (outbox.waiting for outbox in service._registers)
    assert (first + second, first > 0, second > 0) == (20, True, True)
    service._dispatcher.let_register([0])
    service._let_others_register(1)
    assert [outbox.waiting for outbox in service._registers] == [20, 0]
    shared.serve_until_taken(0)
    found = shared.datagrams("registrar.0", 20)
    assert sorted(raw for _, _, raw in found) == sorted(raws)


def test_beats_of_registrars_decide_who_has_users(shared: Edge) -> None:
    service = shared.service
    for body in ([0, True], [1, False]):
        service.receive("registrar.beat", body, time.monotonic())
    service.handle_timer(time.monotonic())
    assert set(service._dispatcher.registrar_table) == {0}
    assert service.stats()["registrars_away"] == 1
    assert [note for note in service.notes() if "registrar.1 cannot write" in note]
    for odd in ([2, True], [0, 1], None):
        service.receive("registrar.beat", odd, time.monotonic())
    assert service.stats()["bad_items"] == 3
    assert {each.name for each in service.peers()} >= {"registrar.0", "registrar.1"}
