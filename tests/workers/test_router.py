"""What a router sends, and to whom; what it decides is tested in tests/proxy."""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from bus.inbox import bind_inbox, next_frame
from flows import packed

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.core.held_calls import unpack_sums
from switchboard.edge.in_service import BEAT_EVERY_S
from switchboard.phrases.translate import Translator
from switchboard.registrar.sqlite import SqliteStore
from switchboard.settings.model import Settings
from switchboard.sip.flow import SERIAL_OCTETS, TCP, Flow, connection_of
from switchboard.sip.scan import scan
from switchboard.sip.shares import call_id_sum, router_of
from switchboard.transports.lending import NAME, Lender
from switchboard.transports.udp_sockets import bind_sockets
from switchboard.workers.router import RouterService

LIMIT_S = 20.0
INVITE = """INVITE sip:bob@127.0.0.2:5070 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.3:5060;branch=z9hG4bK{number}
Max-Forwards: 70
From: <sip:anna@127.0.0.3>;tag=a
To: <sip:bob@127.0.0.2>
Call-ID: {number}
CSeq: 1 INVITE
Content-Length: 0

""".replace("\n", "\r\n")


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        made = Settings(data_dir=Path(directory), relay="open")
        SqliteStore(made.store_path).close()
        yield made


@pytest.fixture
def service(context: BusContext, settings: Settings) -> Iterator[RouterService]:
    service = RouterService(settings, context, 0)
    yield service
    service.close()


def endpoint(settings: Settings, name: str) -> str:
    return Endpoints(settings.run_dir).inbox(name)


def invite(service: RouterService, *numbers: int) -> None:
    raws = [INVITE.format(number=number).encode() for number in numbers]
    items = [[packed("127.0.0.3", 5060, "127.0.0.1"), scan(raw), raw] for raw in raws]
    service.receive("sip.received", items, time.monotonic())


def flush_until_taken(service: RouterService) -> None:
    until = time.monotonic() + LIMIT_S
    service.flush()
    while any(outbox.waiting for outbox in service.outboxes):
        assert time.monotonic() < until, "the peers never took the items"
        service.flush()


def lines(inbox: zmq.Socket[bytes]) -> list[str]:
    """The first words of the datagrams in the next frame."""
    return [item[1].partition(b"\r\n")[0].decode() for item in next_frame(inbox)[1]]


def ready(service: RouterService, name: str) -> None:
    """Wait until that peer takes frames: ZeroMQ connects on its own."""
    peer = next(outbox.peer for outbox in service.outboxes if outbox.peer.name == name)
    until = time.monotonic() + LIMIT_S
    while not peer.takes_frames:
        assert time.monotonic() < until, f"{name} was never reached"


@contextmanager
def lent(service: RouterService, settings: Settings) -> Iterator[None]:
    """The edge's sockets are lent to the service, which knows the phrases and sends on them."""
    sockets = bind_sockets("127.0.0.2", 0)
    lender = Lender(settings.run_dir / NAME, sockets)
    service.receive("phrases.tables", Translator("sk", {}).to_wire(), time.monotonic())
    until = time.monotonic() + LIMIT_S
    while not service.stats()["sends_directly"]:
        assert time.monotonic() < until, "nothing was lent"
        service.handle_timer(time.monotonic())
        lender.lend()
    yield
    lender.close()
    for sock in sockets:
        sock.close()


FORWARDED, TRYING = "INVITE sip:bob@127.0.0.2:5070 SIP/2.0", "SIP/2.0 100 Trying"


def test_responses_share_the_frame_of_the_requests_and_go_first(
    service: RouterService, context: BusContext, settings: Settings
) -> None:
    """Phones send a BYE or NOTIFY right behind a 200, and both may come in one round."""
    translator = bind_inbox(context, endpoint(settings, "translator"))
    ready(service, "translator.0")
    invite(service, 1, 2)
    service.flush()
    assert lines(translator) == [TRYING, TRYING, FORWARDED, FORWARDED]


def test_all_leaves_on_the_sockets_of_the_edge_once_they_are_lent(
    service: RouterService, settings: Settings
) -> None:
    """With the phrases that the translator has told."""
    with lent(service, settings), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.2", 0))
        phone.settimeout(LIMIT_S)
        port = phone.getsockname()[1]
        raw = INVITE.format(number=1).replace(":5070", f":{port}").encode()
        item = [packed("127.0.0.2", port, "127.0.0.2"), scan(raw), raw]
        service.receive("sip.received", [item], time.monotonic())
        service.flush()
        incoming = [phone.recv(2000).partition(b"\r\n")[0] for _ in range(1)]
        assert incoming == [f"INVITE sip:bob@127.0.0.2:{port} SIP/2.0".encode()]
        assert service.stats()["sent"] == 2


def test_what_a_stream_worker_may_have_lost_is_sent_again(
    service: RouterService, context: BusContext, settings: Settings
) -> None:
    translator = bind_inbox(context, endpoint(settings, "translator"))
    ready(service, "translator.0")
    raw = INVITE.format(number=1).encode()
    flow = Flow(TCP, "127.0.0.1", "127.0.0.3", 40000, connection_of(0, bytes(SERIAL_OCTETS)))
    service.receive("sip.received", [[flow.pack(), scan(raw), raw]], time.monotonic())
    service.flush()
    assert lines(translator) == [TRYING, FORWARDED]
    for instance in (1, 0):
        service.receive("stream.restarted", [instance], time.monotonic())
    service.flush()
    assert lines(translator) == [TRYING]


def test_other_tables_are_counted(service: RouterService) -> None:
    service.receive("phrases.tables", ["sk"], time.monotonic())
    assert service.stats()["bad_items"] == 1


def test_past_a_translator_that_is_away_all_goes_straight_to_the_edge(
    service: RouterService, context: BusContext, settings: Settings
) -> None:
    edge = bind_inbox(context, endpoint(settings, "edge-tx"))
    ready(service, "edge-tx.0")
    invite(service, 1, 2)
    flush_until_taken(service)
    assert lines(edge) == [TRYING, TRYING, FORWARDED, FORWARDED]
    assert service.stats()["untranslated"] == 2


def test_a_request_that_is_lost_is_answered_at_once(
    service: RouterService, context: BusContext, settings: Settings
) -> None:
    """What is no such item is counted."""
    edge = bind_inbox(context, endpoint(settings, "edge-tx"))
    ready(service, "edge-tx.0")
    invite(service, 1)
    flush_until_taken(service)
    trying, forwarded = next_frame(edge)[1]
    sent = forwarded[1]
    assert (sent[:7], trying[1][:11]) == (b"INVITE ", b"SIP/2.0 100")
    lost = [packed("127.0.0.2", 5070), sent[:520]]
    items = [None, lost[:1], [b"no flow", sent], [packed("127.0.0.9", 5070), sent], lost, lost]
    for body in (items, None):
        service.receive("sip.undeliverable", body, time.monotonic())
    flush_until_taken(service)
    assert lines(edge) == ["SIP/2.0 500 Server Internal Error"]
    stats = service.stats()
    assert (stats["undeliverable"], stats["undeliverable_ignored"], stats["bad_items"]) == (1, 2, 4)


def test_it_tells_the_edge_that_it_is_there_and_whether_it_is_drained(
    service: RouterService, context: BusContext, settings: Settings
) -> None:
    edges = [bind_inbox(context, endpoint(settings, name)) for name in ("edge-rx", "edge-stream", "edge-tx")][
        :2
    ]
    ready(service, "edge-stream.0")
    until = time.monotonic() + LIMIT_S
    while not service._edge_rx[0].takes_frames:
        assert time.monotonic() < until, "edge-rx was never reached"
    service.handle_timer(time.monotonic())
    assert [next_frame(each) for each in edges] == [("router.beat", [0, False, False])] * 2, (
        "without bindings"
    )
    ready(service, "edge-tx.0")
    service.receive("location.number", [0], time.monotonic())
    service.handle_timer(time.monotonic() + BEAT_EVERY_S)
    assert [next_frame(each) for each in edges] == [("router.beat", [0, False, True])] * 2
    assert service.answer("router.drain", True).startswith("drained: 0 transactions")
    assert [next_frame(each) for each in edges] == [("router.beat", [0, True, True])] * 2
    assert service.notes()[0].startswith("drained: 0 transactions")
    service.handle_timer(time.monotonic() + 2 * BEAT_EVERY_S)
    assert next_frame(edges[0]) == ("router.beat", [0, True, True])


def test_it_says_what_it_holds_for_others_of_a_set_of_routers(service: RouterService) -> None:
    invite(service, *range(8))
    service.flush()
    held = {router: unpack_sums(service.answer("calls.held", [router, 0])) for router in (0, 1)}
    sums = {call_id_sum(str(number).encode()) for number in range(8)}
    assert held == {0: set(), 1: {each for each in sums if router_of(each, [0, 1]) == 1}}
    for body in ([], 2, ["0"], None):
        with pytest.raises(LookupError):
            service.answer("calls.held", body)
    with pytest.raises(LookupError):
        service.answer("router.drain", None)
