"""What edge-rx tells of routers' terms, and how the edge's other workers obey."""

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bus.contexts import OwningContext
from bus.inbox import bind_inbox, next_frame
from flows import packed
from workers.test_edge_stream import Edge as EdgeStreams
from workers.test_edge_stream import request as message
from workers.test_edge_stream import response

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer
from switchboard.edge.arbiter import TICK_S
from switchboard.edge.receivers import Receiver
from switchboard.edge.terms import FILE, Term, label, load_terms, save_terms
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of
from switchboard.transports.udp_sockets import bind_sockets
from switchboard.workers import arbiter
from switchboard.workers.arbiter import ArbiterDesk, FollowingDesk, desk_for, fence_for
from switchboard.workers.edge_tx import EdgeTx

STANDBYS = {0: 1, 1: 0}
LIMIT_S = 20.0


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """As if each of two routers were the other's standby router."""
    monkeypatch.setattr(arbiter, "standbys_of", lambda settings: STANDBYS)  # noqa: ARG005
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        made = Settings(data_dir=Path(directory))
        made.run_dir.mkdir()
        yield made


@pytest.fixture
def context() -> Iterator[BusContext]:
    context = OwningContext()
    yield context
    context.destroy(linger=0)


class Edge:
    """An arbiter's desk with the inboxes of all that it casts to; time passes as the test says."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        inbox = endpoints_of(settings).inbox
        names = [("router", 0), ("router", 1), ("edge-tx", 0), ("edge-stream", 0)]
        self.inboxes = {
            f"{name}.{number}": bind_inbox(context, inbox(name, number)) for name, number in names
        }
        self.led: list[dict[int, int]] = []
        routers = [Peer(context, inbox("router", number)) for number in STANDBYS]
        desk = desk_for(settings, context, 0, routers)
        assert isinstance(desk, ArbiterDesk)
        self.desk = desk
        for peer in (*routers, *desk._others.values()):
            until = time.monotonic() + LIMIT_S
            while not peer.takes_frames:
                assert time.monotonic() < until, f"{peer.name} was never reached"
        self.now = desk.due_at

    def go(self, seconds: float, *alive: tuple[int, int, list[Any]]) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += TICK_S
            for router, term, taken in alive:
                assert self.desk.receive("router.alive", [router, term, self.now, taken])
            self.desk.handle_timer(self.now, lambda led: self.led.append(dict(led)))

    def expect(self, name: str, subject: str, body: Callable[[Any], bool] = lambda body: True) -> Any:  # noqa: ARG005
        """The body of the next cast with this subject that is like that."""
        until = time.monotonic() + LIMIT_S
        while True:
            assert self.inboxes[name].poll(max(0, round(1000 * (until - time.monotonic())))), (
                f"{name} got no such {subject}"
            )
            each, found = frames.unpack(self.inboxes[name].recv())
            if each == subject and body(found):
                return found

    def know(self) -> None:
        """The workers that send say that they know the terms."""
        for name in ("edge-tx.0", "edge-stream.0"):
            assert self.desk.receive("routers.terms_known", [name, self.desk._arbiter.version])


def test_all_is_told_in_its_order(settings: Settings, context: BusContext) -> None:
    edge = Edge(settings, context)
    edge.go(1, (0, 0, []), (1, 0, []))
    assert edge.expect("router.0", "router.term")[0] == 0
    for name in ("edge-tx.0", "edge-stream.0"):
        assert edge.expect(name, "routers.terms")[1:] == [[[0, 0, 0], [1, 0, 1]], []]
    edge.know()
    edge.go(4, (1, 0, []))
    term = load_terms(settings.data_dir / FILE, STANDBYS)[0].term
    assert term > 0, "it is on the disk"
    edge.expect("edge-tx.0", "routers.terms", lambda body: body[1:] == [[[0, term, 1], [1, 0, 1]], []])
    assert edge.desk.notes() == ["router.0 was declared dead: its calls are at router.1"]
    assert edge.desk.stats() == {"taken_over": 1}
    edge.know()
    edge.go(1, (1, 0, []))
    assert edge.expect("router.1", "calls.take_over") == [0, term]
    edge.go(1, (1, 0, [[0, term, True]]))
    assert edge.led[-1] == {0: 1}
    edge.expect("edge-stream.0", "routers.terms", lambda body: body[2] == [0])
    edge.desk.close()
    successor = ArbiterDesk(settings, context, STANDBYS, [])
    assert successor.led == {0: 1}
    successor.close()


def test_nobody_takes_over_while_the_terms_cannot_be_written(settings: Settings, context: BusContext) -> None:
    edge = Edge(settings, context)
    edge.go(1, (0, 0, []), (1, 0, []))
    edge.know()
    in_the_way = (settings.data_dir / FILE).with_suffix(".new")
    in_the_way.mkdir()
    edge.go(5, (1, 0, []))
    assert "cannot be written" in edge.desk.notes()[-1]
    in_the_way.rmdir()
    edge.go(1, (1, 0, []))
    terms = edge.expect("edge-tx.0", "routers.terms", lambda body: body[1][0][1] > 0)[1]
    assert (terms[0][2], len(edge.desk.notes())) == (1, 1)
    edge.desk.close()


def test_what_is_no_sign_of_life(settings: Settings, context: BusContext) -> None:
    edge = Edge(settings, context)
    for body in (None, [0, 0, 1.0, [1]], [2, 0, 1.0, []], [-1, 0, 1.0, []], [0, 0, 1, []]):
        assert not edge.desk.receive("router.alive", body)
    assert not edge.desk.receive("routers.terms_known", ["edge-tx.0"])
    assert not edge.desk.receive("sip.taken", ["router.0", 1.0])
    edge.desk.close()


def test_who_sends_for_routers_says_what_it_knows(settings: Settings, context: BusContext) -> None:
    inbox = bind_inbox(context, endpoints_of(settings).inbox("edge-rx"))
    save_terms(settings.data_dir / FILE, {0: Term(5, 0), 1: Term(0, 1)})
    led: list[dict[int, int]] = []
    desk = fence_for(settings, context, "edge-tx.0", lambda found: led.append(dict(found)))
    assert desk is not None
    until = time.monotonic() + LIMIT_S
    while desk.due_at != float("inf"):
        assert time.monotonic() < until
        desk.handle_timer()
    assert next_frame(inbox) == ("routers.terms_known", ["edge-tx.0", 0])
    assert desk.pass_on(label(0, 5) + b"\x90") == frames.head("sip.send") + b"\x90"
    assert desk.receive("routers.terms", [3, [[0, 6, 1], [1, 0, 1]], [0]])
    assert next_frame(inbox) == ("routers.terms_known", ["edge-tx.0", 3])
    assert led == [{0: 1}]
    assert desk.pass_on(label(0, 5) + b"\x91\x92\xc4\x00\xc4\x00") == b""
    assert desk.stats() == {"fenced": 1}
    for body in (None, [1, [], 0], [1, [0], []]):
        assert not desk.receive("routers.terms", body)
    desk.close()


def test_another_edge_follows_the_first_one(settings: Settings, context: BusContext) -> None:
    inbox = endpoints_of(settings).inbox
    first, router = bind_inbox(context, inbox("edge-rx")), bind_inbox(context, inbox("router", 0))
    peer = Peer(context, inbox("router", 0))
    desk = desk_for(settings, context, 1, [peer])
    assert isinstance(desk, FollowingDesk)
    led: list[dict[int, int]] = []

    def go() -> None:
        until = time.monotonic() + LIMIT_S
        while desk.due_at != float("inf") or not peer.takes_frames:
            assert time.monotonic() < until
            desk.handle_timer(time.monotonic(), lambda found: led.append(dict(found)))

    go()
    assert next_frame(first) == ("routers.terms_known", ["edge-rx.1", 0])
    assert desk.receive("router.alive", [0, 0, 1.5, []])
    assert next_frame(router) == ("router.term", [0, 1.5])
    in_the_way = (settings.data_dir / FILE).with_suffix(".new")
    in_the_way.mkdir()
    assert desk.receive("routers.terms", [3, [[0, 6, 1], [1, 0, 1]], [0]])
    assert desk.led == {}, "it is not on the disk"
    in_the_way.rmdir()
    assert desk.receive("routers.terms", [3, [[0, 6, 1], [1, 0, 1]], [0]])
    go()
    assert led[-1] == {0: 1}
    assert desk.stats() == {"taken_over": 1}
    assert next_frame(first) == ("routers.terms_known", ["edge-rx.1", 3])
    assert desk.receive("router.alive", [0, 0, 2.5, []])
    assert next_frame(router) == ("router.term", [6, 2.5])
    for subject, body in (
        ("router.alive", [7, 0, 1.0, []]),
        ("routers.terms", [1, [0], []]),
        ("sip.taken", None),
    ):
        assert not desk.receive(subject, body)
    desk.close()
    successor = desk_for(settings, context, 1, [peer])
    assert isinstance(successor, FollowingDesk)
    assert (successor.led, successor.notes()) == ({0: 1}, [])
    successor.close()


def test_edge_tx_sends_what_bears_the_term_of_now(settings: Settings, context: BusContext) -> None:
    sockets = bind_sockets("127.0.0.1", 0)
    service = EdgeTx(settings, context, 0, sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(LIMIT_S)
        port = phone.getsockname()[1]
        for term, raw in ((0, b"one"), (7, b"two"), (0, b"three")):
            items = [[packed("127.0.0.1", port), raw], [packed("127.0.0.1", port), bytes(65530)]]
            body = frames.pack("sip.send", items)[len(frames.head("sip.send")) :]
            assert service.receive_frame(label(0, term) + body) is not None
        assert [phone.recv(100) for _ in range(2)] == [b"one", b"three"]
    assert service.stats() == {"sent": 2, "failed": 2, "retried": 0, "bad_items": 0, "fenced": 2}
    assert service.receive_frame(frames.pack("sip.taken", [])) is None
    service.receive("routers.terms", [2, [[0, 7, 0]], []], 0.0)
    assert service.receive_frame(label(0, 0) + b"\x90") == 0
    service.handle_timer(0.0)
    assert service.next_deadline() is not None
    service.close()
    for sock in sockets:
        sock.close()


def test_without_standby_routers_there_are_no_terms(context: BusContext, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert fence_for(settings, context, "edge-tx.0") is None


@pytest.fixture(params=[True, False], ids=["compiled", "reference"])
def streams(settings: Settings, request: pytest.FixtureRequest) -> Iterator[EdgeStreams]:
    """An edge-stream; each of its two routers is the other's standby router."""
    edge = EdgeStreams(settings.data_dir, is_compiled=request.param)
    yield edge
    edge.close()


def cast(edge: EdgeStreams, router: int, term: int, flow: bytes, raw: bytes) -> None:
    """A router sends, in a term."""
    frame = frames.pack("sip.send", [[flow, raw]])
    labelled = label(router, term) + frame[len(frames.head("sip.send")) :]
    edge.serve_until(lambda: edge.sender.send_frame(labelled))


def test_edge_stream_writes_what_bears_the_term_of_now(streams: EdgeStreams) -> None:
    phone = streams.connect()
    phone.sendall(message())
    flow = streams.items()[0][0]
    cast(streams, 0, 7, flow, response(status="486 Busy"))
    cast(streams, 0, 0, flow, response())
    assert streams.got(phone, len(response())) == response()
    assert streams.service.stats()["fenced"] == 1


def test_what_a_dead_router_has_not_taken_goes_to_its_heir(streams: EdgeStreams) -> None:
    """Also what another router would get by its Call-ID."""
    streams.take_all()
    phone = streams.connect()
    phone.sendall(b"".join(message(call_id=str(number)) for number in range(8)))
    streams.serve_until(
        lambda: (
            streams.service._receivers[0].put_count and sum(map(put_count, streams.service._receivers)) == 8
        )
    )
    kept = streams.service._receivers[0].put_count
    assert len(streams.heard("router.0")) <= kept
    before = streams.service._receivers[1].put_count
    streams.serve_until(lambda: streams.sender.send("routers.terms", [2, [[0, 9, 1], [1, 0, 1]], [0]]))
    streams.serve_until(lambda: streams.service._receivers[1].put_count == before + kept)
    assert streams.service._receivers[0].due_at() is None
    phone.sendall(b"".join(message(call_id=f"late-{number}") for number in range(8)))
    streams.serve_until(lambda: streams.service._receivers[1].put_count == before + kept + 8)


def put_count(receiver: Receiver) -> int:
    return receiver.put_count
