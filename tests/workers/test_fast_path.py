"""The plain rounds of a router: the fast path has the effects of the worker's own round, in the same order."""

import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import zmq
from bus.inbox import bind_inbox, next_frame
from compiled import needs_compiled_core
from flows import packed
from workers.test_router import LIMIT_S, lent, ready, service, settings  # noqa: F401

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.tap import Listener, topic_of
from switchboard.phrases.translate import Translator
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import pack_users
from switchboard.settings.model import Settings
from switchboard.sip.flow import TCP, Flow, connection_of
from switchboard.sip.scan import scan
from switchboard.workers.router import RouterService

pytestmark = needs_compiled_core


PLAIN = """INVITE sip:bob@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{number}
Max-Forwards: 70
From: <sip:anna@127.0.0.1>;tag=a
To: <sip:bob@127.0.0.1>
Call-ID: {number}
CSeq: 1 INVITE
Contact: <sip:anna@127.0.0.2:5060>
Content-Length: 0

""".replace("\n", "\r\n")


@dataclass
class Bench:
    service: RouterService
    phone: socket.socket

    def register(self) -> None:
        """Anna and Bob are at the phone."""
        replica = self.service._following.replica
        for user in ("anna", "bob"):
            where = f"127.0.0.2:{self.phone.getsockname()[1]}"
            binding = Binding(f"sip:{user}@{where}", 1.0, time.time() + 1000, source=where)
            replica.apply(replica.number + 1, pack_users({user: [binding]}))

    def frame(self, number: int, raw: bytes = b"") -> bytes:
        """A frame with an INVITE from the phone to Bob, or with `raw`."""
        port = self.phone.getsockname()[1]
        raw = raw or PLAIN.replace("{number}", str(number)).replace("5060", str(port)).encode()
        return frames.pack("sip.received", [[packed("127.0.0.2", port, "127.0.0.2"), scan(raw) or b"", raw]])

    def heard(self) -> bytes:
        """The first line of the phone's next datagram."""
        return self.phone.recv(2000).partition(b"\r\n")[0]

    def hears_nothing(self) -> bool:
        self.phone.setblocking(False)
        try:
            self.phone.recv(2000)
        except BlockingIOError:
            return True
        return False

    def end_rounds(self) -> None:
        """As the worker does: afterwards nothing but what is plain waits."""
        self.service.flush()
        self.service.flush()


@pytest.fixture
def bench(service: RouterService, settings: Settings) -> Iterator[Bench]:  # noqa: F811
    with lent(service, settings), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.2", 0))
        phone.settimeout(LIMIT_S)
        made = Bench(service, phone)
        made.register()
        made.end_rounds()
        yield made


def plain_round(bench: Bench, number: int) -> bool:
    """Give the fast path an INVITE of which the reference has learned all facts, and let it end the round."""
    path = bench.service.fast_path
    assert path is not None
    assert path.receive(bench.frame(number), time.monotonic()) == 1
    return path.settle(time.monotonic())


def test_a_plain_round_is_kept_told_and_sent(bench: Bench) -> None:
    before = bench.service.stats()
    assert plain_round(bench, 1)
    assert bench.heard().startswith(b"SIP/2.0 100 ")
    assert bench.heard().startswith(b"INVITE sip:bob@127.0.0.2:")
    after = bench.service.stats()
    assert after["sent"] == before["sent"] + 2  # a 100, too
    assert after["log_entries"] > before["log_entries"]
    assert after["events_waiting"] == 1
    assert after["plain"] == 1


def test_what_was_sent_is_in_the_log(bench: Bench) -> None:
    """A successor finds it, though nobody has flushed."""
    assert plain_round(bench, 1)
    size = bench.service.stats()["log_bytes"]
    bench.service.flush()
    assert bench.service.stats()["log_bytes"] == size


def test_what_is_odd_is_left_to_the_worker(bench: Bench) -> None:
    path = bench.service.fast_path
    assert path is not None
    odd = PLAIN.replace("Max-Forwards: 70", "Max-Forwards: 0").encode()
    assert path.receive(bench.frame(2, odd), time.monotonic()) == 1
    assert not path.settle(time.monotonic())
    assert bench.hears_nothing()
    bench.service.flush()
    assert bench.service.stats()["sent"] == 1
    assert path.settle(time.monotonic()), "the worker has ended it"


def test_other_frames_are_the_workers(bench: Bench) -> None:
    path = bench.service.fast_path
    assert path is not None
    for frame in (b"", frames.pack("location.changed", [1]), frames.pack("sip.undeliverable", [])):
        assert path.receive(frame, time.monotonic()) is None


def test_a_plain_round_goes_through_edge_tx_where_no_sockets_are(
    service: RouterService,  # noqa: F811
    context: BusContext,
    settings: Settings,  # noqa: F811
) -> None:
    """On another host than the edge's. What edge-tx does not take now is sent later."""
    inbox = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-tx"))
    ready(service, "edge-tx.0")
    service.receive("phrases.tables", Translator("sk", {}).to_wire(), time.monotonic())
    until = time.monotonic() + LIMIT_S
    while service._sender.direct is None:
        assert time.monotonic() < until, "the way through edge-tx never opened"
        service.handle_timer(time.monotonic())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.2", 0))
        bench = Bench(service, phone)
        bench.register()
        bench.end_rounds()
        assert plain_round(bench, 1)
        subject, items = next_frame(inbox)
        assert (subject, [item[1].split(b" ")[0] for item in items]) == ("sip.send", [b"SIP/2.0", b"INVITE"])
        assert bench.hears_nothing()
        inbox.close(linger=0)
        edge_tx = service.outboxes[1]
        while edge_tx.peer.takes_frames:
            assert time.monotonic() < until, "edge-tx is still there"
        assert plain_round(bench, 2)
        assert edge_tx.waiting == 2  # a 100, too
        assert not service.fast_path.settle(time.monotonic() + 1.0), "the worker has to try again"  # type: ignore[union-attr]


def test_while_nothing_was_lent_the_worker_sends(service: RouterService) -> None:  # noqa: F811
    assert service.fast_path is not None
    service.flush()
    assert not service.fast_path.settle(time.monotonic())


def test_the_worker_tells_the_journal_when_it_is_time(bench: Bench) -> None:
    path = bench.service.fast_path
    assert path is not None
    path.tell_at = time.monotonic() + 60.0
    assert plain_round(bench, 1)
    assert path.next_deadline() <= path.tell_at
    path.tell_at = 0.0
    assert not path.settle(time.monotonic())


def test_timers_of_the_engine_fire(bench: Bench) -> None:
    """Timer A of the INVITE, which nobody answers: it is sent again after T1."""
    path = bench.service.fast_path
    assert path is not None
    path.tell_at = math.inf
    assert plain_round(bench, 1)
    due = path.next_deadline()
    assert due == pytest.approx(time.monotonic() + 0.5, abs=0.4)
    assert bench.heard().startswith(b"SIP/2.0 100 ")
    sent = bench.heard()
    path.advance(due)
    assert path.settle(due)
    assert bench.heard() == sent


def test_who_listens_at_the_tap_is_shown_what_leaves(
    bench: Bench,
    context: BusContext,
    settings: Settings,  # noqa: F811
) -> None:
    tap, path = bench.service._tap, bench.service.fast_path
    assert path is not None
    listener = Listener(context, [Endpoints(settings.run_dir).publisher("router", 0)], topic_of(0))
    until = time.monotonic() + LIMIT_S
    while not tap.is_open:
        assert time.monotonic() < until, "nobody listens"
        tap.look()
    assert plain_round(bench, 1)
    assert bench.heard().startswith(b"SIP/2.0 100 ")
    due = path.next_deadline()
    assert due == tap.due_at < math.inf
    assert not path.settle(due), "the worker is to tell it"
    bench.service.handle_timer(due)
    ((_, [_, _, passed]),) = listener.frames(LIMIT_S)
    assert b"INVITE sip:bob@" in passed[0][2]
    listener.close()


def over(flow: Flow, number: int) -> bytes:
    """The frame of an INVITE that came over a connection."""
    raw = PLAIN.replace("{number}", str(number)).replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode()
    return frames.pack("sip.received", [[flow.pack(), scan(raw), raw]])


@pytest.fixture
def streams(service: RouterService, context: BusContext, settings: Settings) -> zmq.Socket[bytes]:  # noqa: F811
    """The inbox of the edge-stream, at which the service has arrived."""
    inbox = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-stream"))
    ready(service, "edge-stream.0")
    return inbox


TCP_FLOW = Flow(TCP, "127.0.0.1", "127.0.0.3", 40000, connection_of(0, bytes(8)))


def test_a_round_with_connections_is_plain(bench: Bench, streams: zmq.Socket[bytes]) -> None:
    """What is for the edge-stream goes to it, what is for a phone on UDP to that; a mark goes back afterwards."""
    path, stamp = bench.service.fast_path, time.monotonic()
    assert path is not None
    assert path.receive(over(TCP_FLOW, 1), stamp) == 1
    assert path.receive(frames.pack("sip.mark", [0, stamp]), stamp) == 2
    assert path.settle(time.monotonic())
    assert bench.heard().startswith(b"INVITE sip:bob@127.0.0.2:")
    subject, ((flow, raw),) = next_frame(streams)
    assert (subject, flow, raw[:12]) == ("sip.send", TCP_FLOW.pack(), b"SIP/2.0 100 ")
    subject, (owner, returned, _, first) = next_frame(streams)
    assert (subject, owner, returned, first) == ("sip.taken", "router.0", stamp, stamp)
    assert bench.service.stats()["plain"] == 1
    assert path.settle(time.monotonic())
    assert not streams.poll(50), "a mark goes back once"


def test_a_mark_of_nobody_is_the_workers(bench: Bench) -> None:
    path = bench.service.fast_path
    assert path is not None
    for body in ([0], [-1, 1.0], [7, 1.0], [0, 1], ["0", 1.0], [0, 1.0, 2.0], None):
        assert path.receive(frames.pack("sip.mark", body), 1.0) is None


def test_an_edge_stream_that_is_away_is_tried_again(
    bench: Bench,
    context: BusContext,
    settings: Settings,  # noqa: F811
) -> None:
    path, now = bench.service.fast_path, time.monotonic()
    assert path is not None
    path.tell_at = math.inf
    assert path.receive(over(TCP_FLOW, 1), now) == 1
    assert path.settle(now)
    due = path.next_deadline()
    assert now < due < now + 0.1
    assert not path.settle(due), "the worker is to try it"
    (outbox,) = bench.service._sender.stream_outboxes
    assert outbox.waiting == 1
    inbox = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-stream"))
    ready(bench.service, "edge-stream.0")
    bench.service.flush()
    assert next_frame(inbox)[0] == "sip.send"
    assert path.next_deadline() > due + 0.1
