"""The loop in this process, over real sockets; `run_actor` is tested in a process of its own."""

import errno
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog
import zmq
from bus.inbox import DEADLINE_MS, bind_inbox, next_frame

from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint, Endpoints
from switchboard.bus.loop import Loop
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Peer
from switchboard.bus.rounds import BYTES_A_ROUND, FRAMES_A_ROUND, Rounds, RoundsInPython
from switchboard.storage.writing import Writing

LIMIT_S = 20.0
TWINS = list(dict.fromkeys([Rounds, RoundsInPython]))


@pytest.fixture(autouse=True, params=TWINS, ids=lambda twin: twin.__name__)
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is told here holds for both."""
    monkeypatch.setattr("switchboard.bus.loop.Rounds", request.param)


class Recorder(Actor):
    """Writes down what its loop calls."""

    name = "recorder"

    def __init__(self, publishers: list[str] | None = None) -> None:
        self.publishers = publishers or []
        self.casts: list[tuple[str, Any]] = []
        self.deadlines: list[float] = []
        self.fired: list[float] = []
        self.flushes = 0
        self.pauses = 0
        self.watched: dict[int, Callable[[float], None]] = {}

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        return [endpoints.publisher(name) for name in self.publishers]

    def watch(self) -> dict[int, Callable[[float], None]]:
        return self.watched

    def receive(self, subject: str, body: Any, now: float) -> None:
        assert abs(now - time.monotonic()) < 1
        self.casts.append((subject, body))

    def receive_frame(self, frame: bytes) -> int | None:
        if not frame.startswith(frames.head("whole")):
            return None
        self.casts.append(("frame", frame))
        return 3

    def pause_s(self) -> float:
        self.pauses += 1
        return 0.001

    def answer(self, question: str, body: Any) -> Any:
        return {"double": body * 2}[question] if question == "double" else super().answer(question, body)

    def next_deadline(self) -> float | None:
        return min(self.deadlines, default=None)

    def handle_timer(self, now: float) -> None:
        due = sorted(each for each in self.deadlines if each <= now)
        self.fired += due
        self.deadlines = [each for each in self.deadlines if each > now]

    def flush(self) -> None:
        super().flush()
        self.flushes += 1

    def stats(self) -> dict[str, float]:
        return {"fired": len(self.fired)}


class Deaf(Actor):
    """An actor that needs nothing of what the base offers."""

    name = "deaf"
    has_inbox = False


def rounds_until(loop: Loop, done: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < until, "the loop never got there"
        loop.rounds.round(0.05)


def ask_in_between(context: BusContext, endpoints: Endpoints, loop: Loop, question: str, body: object) -> Any:
    with context.socket(zmq.DEALER) as asker:
        asker.connect(endpoints.ask(loop.actor.name))
        asker.send(frames.pack(question, body))
        rounds_until(loop, lambda: bool(asker.poll(0)))
        return frames.unpack(asker.recv())


def connected(context: BusContext, endpoint: Endpoint, subject: str = "hello") -> Peer:
    """A peer that has got its first frame through."""
    peer = Peer(context, endpoint)
    until = time.monotonic() + LIMIT_S
    while not peer.send(subject, None):
        assert time.monotonic() < until, "nobody listens"
    return peer


def test_casts_reach_the_actor_and_are_counted(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints, instance=3)
    peer = connected(context, endpoints.inbox("recorder", 3))
    peer.send("sip.send", [1, 2, 3])
    rounds_until(loop, lambda: len(actor.casts) == 2)
    assert actor.casts == [("hello", None), ("sip.send", [1, 2, 3])]
    assert (loop.rounds.frames_in, loop.rounds.items_in, loop.rounds.bad_frames) == (2, 4, 0)
    assert actor.flushes >= 1


def test_an_actor_may_take_a_frame_as_it_came(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    peer = connected(context, endpoints.inbox("recorder"))
    peer.send("whole", [1, 2, 3])
    rounds_until(loop, lambda: len(actor.casts) == 2)
    assert actor.casts == [("hello", None), ("frame", frames.pack("whole", [1, 2, 3]))]
    assert (loop.rounds.frames_in, loop.rounds.items_in) == (2, 4)


class StopAfter:
    """A StopSignal that comes by itself, after some looks at it."""

    def __init__(self, looks: int) -> None:
        self.fd, self._write_fd = os.pipe()
        self._looks = looks

    @property
    def is_set(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._write_fd)


def test_an_actor_is_asked_after_each_round_how_long_to_wait(
    context: BusContext, endpoints: Endpoints
) -> None:
    actor = Recorder()
    actor.deadlines = [0.0, 0.0, 0.0]
    stop = StopAfter(looks=3)
    told: list[str] = []
    Loop(actor, context, endpoints).run(stop, lambda: told.append("ready"))  # type: ignore[arg-type]
    stop.close()
    assert actor.pauses == actor.flushes == 3
    assert told == ["ready"]


class Follows(Recorder):
    """Wants to hear something first."""

    def is_ready(self) -> bool:
        return bool(self.casts)


class StopWhenTold(StopAfter):
    """A StopSignal that comes when the loop has told that it is ready."""

    def __init__(self) -> None:
        super().__init__(0)
        self.told: list[bool] = []

    @property
    def is_set(self) -> bool:
        return bool(self.told)


@pytest.mark.parametrize("comes", [True, False])
def test_an_actor_is_ready_when_it_has_heard_what_it_needs_or_after_a_while(
    context: BusContext, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    monkeypatch.setattr("switchboard.bus.loop.READY_WITHIN_S", LIMIT_S if comes else 0.01)
    actor, stop = Follows(), StopWhenTold()
    loop = Loop(actor, context, endpoints)
    if comes:
        connected(context, endpoints.inbox("recorder"))
    loop.run(stop, lambda: stop.told.append(actor.is_ready()))  # type: ignore[arg-type]
    stop.close()
    assert stop.told == [comes]


def test_bad_frames_are_counted_and_harm_nothing(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    peer = connected(context, endpoints.inbox("recorder"))
    for frame in (b"junk", b"\x93\x01\xa1x\xc0", b""):
        peer.send_frame(frame)
    peer.send("good", None)
    rounds_until(loop, lambda: ("good", None) in actor.casts)
    assert actor.casts == [("hello", None), ("good", None)]
    assert (loop.rounds.frames_in, loop.rounds.bad_frames) == (5, 3)


def test_a_round_takes_a_bounded_number_of_frames_and_flushes_once(
    context: BusContext, endpoints: Endpoints
) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    peer = connected(context, endpoints.inbox("recorder"))
    waiting = FRAMES_A_ROUND + 20
    until = time.monotonic() + LIMIT_S
    while waiting and time.monotonic() < until:
        waiting -= peer.send("more", None)
    assert not waiting, "the queues do not hold more than a round takes"
    taken: list[int] = []
    while sum(taken) < 1 + FRAMES_A_ROUND + 20:
        before = (len(actor.casts), actor.flushes)
        assert loop.rounds.round(LIMIT_S)
        taken.append(len(actor.casts) - before[0])
        assert actor.flushes == before[1] + 1
    assert max(taken) <= FRAMES_A_ROUND


def test_what_a_round_yields_does_not_wait_for_a_megabyte_of_input(
    context: BusContext, endpoints: Endpoints
) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    peer = connected(context, endpoints.inbox("recorder"))
    body = bytes(BYTES_A_ROUND // 2 + 1)
    assert all(peer.send("more", body) for _ in range(5))
    taken: list[int] = []
    while sum(taken) < 1 + 5:
        before = len(actor.casts)
        assert loop.rounds.round(LIMIT_S)
        taken.append(len(actor.casts) - before)
    assert max(taken) <= 3, "the first of them said hello"


def test_published_frames_come_before_casts(context: BusContext, endpoints: Endpoints) -> None:
    publisher = context.socket(zmq.XPUB)
    publisher.bind(endpoints.publisher("registrar"))
    actor = Recorder(publishers=["registrar"])
    loop = Loop(actor, context, endpoints)
    assert publisher.poll(DEADLINE_MS), "nobody subscribed"
    publisher.recv()
    connected(context, endpoints.inbox("recorder"), "cast")
    publisher.send(frames.pack("location.changed", [7, []]))
    for source in (*loop._subscriptions, *loop._inboxes):
        assert source.poll(DEADLINE_MS)
    loop.rounds.round(0)
    assert actor.casts == [("location.changed", [7, []]), ("cast", None)]


def test_timers_fire_in_order_and_not_before_they_are_due(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    now = time.monotonic()
    deadlines = [now - 1, now, now + 0.02, now + 0.04]
    actor.deadlines = [*reversed(deadlines), now + 60]
    loop.rounds.round(0)
    assert actor.fired == deadlines[:2]
    rounds_until(loop, lambda: len(actor.fired) == 4)
    assert actor.fired == deadlines
    assert actor.deadlines == [now + 60]
    assert time.monotonic() >= now + 0.04


@pytest.mark.parametrize(
    ("deadline_in", "expected"), [(None, 1.0), (60, 1.0), (0.5, 0.5), (-5, 1.0)], ids=str
)
def test_the_loop_sleeps_until_the_next_deadline(
    context: BusContext, endpoints: Endpoints, deadline_in: float | None, expected: float
) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    actor.deadlines = [] if deadline_in is None else [time.monotonic() + deadline_in]
    loop.rounds.round(0)  # what is due fires
    assert loop.rounds.wait_s() == pytest.approx(expected, abs=0.1)


def test_an_outbox_that_waits_is_tried_again_every_10_ms(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    actor.outboxes = [Outbox(context, endpoints.inbox("late"), "s")]
    loop = Loop(actor, context, endpoints)
    actor.outboxes[0].put("patient")
    loop.rounds.round(0)
    assert actor.outboxes[0].waiting == 1
    assert loop.rounds.wait_s() == 0.010
    late = bind_inbox(context, endpoints.inbox("late"))
    rounds_until(loop, lambda: actor.outboxes[0].waiting == 0)
    assert next_frame(late) == ("s", ["patient"])


def test_questions_are_answered(context: BusContext, endpoints: Endpoints) -> None:
    loop = Loop(Recorder(), context, endpoints)
    assert ask_in_between(context, endpoints, loop, "double", 21) == ("double", 42)


def test_an_unknown_question_is_refused(context: BusContext, endpoints: Endpoints) -> None:
    subject, text = ask_in_between(context, endpoints, Loop(Recorder(), context, endpoints), "who?", None)
    assert subject == "error"
    assert text == "recorder does not know the question 'who?'"


def test_frames_are_told_at_level_debug_only(context: BusContext, endpoints: Endpoints) -> None:
    told: list[bytes] = []
    loop = Loop(Recorder(), context, endpoints, tell_frame=told.append)
    peer = connected(context, endpoints.inbox("recorder"))
    try:
        assert ask_in_between(context, endpoints, loop, "log.level", "debug") == ("log.level", "debug")
        peer.send("loud", None)
        rounds_until(loop, lambda: loop.rounds.frames_in == 2)
        assert ask_in_between(context, endpoints, loop, "log.level", "info") == ("log.level", "info")
        peer.send("quiet", None)
        rounds_until(loop, lambda: loop.rounds.frames_in == 3)
    finally:
        structlog.reset_defaults()
    assert frames.pack("loud", None) in told
    assert frames.pack("quiet", None) not in told


def test_stats_are_those_of_loop_outboxes_and_actor(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    actor.outboxes = [Outbox(context, endpoints.inbox("away"), "s")]
    actor.outboxes[0].put(1)
    loop = Loop(actor, context, endpoints)
    peer = connected(context, endpoints.inbox("recorder"))
    peer.send_frame(b"junk")
    rounds_until(loop, lambda: loop.rounds.frames_in == 2)
    assert ask_in_between(context, endpoints, loop, "stats", None) == (
        "stats",
        {
            "frames_in": 2,
            "items_in": 1,
            "bad_frames": 1,
            "strangers_refused": 0,
            "links_renewed": 0,
            "away.0.s.sent": 0,
            "away.0.s.dropped": 0,
            "away.0.s.waiting": 1,
            "fired": 0,
        },
    )


def test_what_cannot_be_written_is_told_in_log_notes_and_stats(
    context: BusContext, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.bus.rounds.LOOK_AROUND_S", 0.01)
    actor = Recorder()
    actor.writings = [Writing("a", "b goes on"), Writing("c", "d goes on")]
    loop = Loop(actor, context, endpoints)
    actor.writings[1].failed(errno.ENOSPC)
    with structlog.testing.capture_logs() as lines:
        rounds_until(loop, lambda: bool(lines))
    why = "cannot write: No space left on device (c); d goes on"
    assert [each["event"] for each in lines] == [why]
    assert ask_in_between(context, endpoints, loop, "notes", None)[1] == [f"up, but {why}"]
    assert (loop.stats()["write_error"], loop.stats()["write_failures"]) == (errno.ENOSPC, 1)
    actor.writings[1].worked()
    assert (loop.stats()["write_error"], loop.stats()["write_failures"]) == (0, 1)


def test_watched_descriptors_are_handled_until_the_drain(context: BusContext, endpoints: Endpoints) -> None:
    readable, writable = os.pipe()
    actor = Recorder()
    seen: list[bytes] = []
    actor.watched = {readable: lambda _now: seen.append(os.read(readable, 10))}
    loop = Loop(actor, context, endpoints)
    os.write(writable, b"1")
    assert loop.rounds.round(LIMIT_S)
    assert not loop.rounds.round(0)
    os.write(writable, b"2")
    loop.drain()
    assert seen == [b"1"]
    os.close(readable)
    os.close(writable)


def test_drain_takes_what_waits_and_flushes_it(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    loop = Loop(actor, context, endpoints)
    connected(context, endpoints.inbox("recorder"))
    assert loop._inboxes[0].poll(DEADLINE_MS)
    loop.drain()
    assert actor.casts == [("hello", None)]


def test_drain_does_not_wait_for_a_dead_peer(context: BusContext, endpoints: Endpoints) -> None:
    actor = Recorder()
    actor.outboxes = [Outbox(context, endpoints.inbox("away"), "s")]
    actor.outboxes[0].put(1)
    started = time.monotonic()
    Loop(actor, context, endpoints).drain()
    assert 0.2 < time.monotonic() - started < DEADLINE_MS / 1000


def test_the_base_offers_a_default_for_everything(context: BusContext, endpoints: Endpoints) -> None:
    actor = Deaf()
    loop = Loop(actor, context, endpoints)
    assert not (endpoints.run_dir / "deaf.0.in").exists()
    subject, _ = ask_in_between(context, endpoints, loop, "anything", None)
    assert subject == "error"
    assert ask_in_between(context, endpoints, loop, "stats", None)[1]["frames_in"] == 0
    assert loop.rounds.wait_s() == 1.0
    actor.receive("cast", None, 0.0)
    actor.handle_timer(0.0)
    actor.close()


def test_a_stale_socket_file_is_no_obstacle(context: BusContext, endpoints: Endpoints) -> None:
    (endpoints.run_dir / "recorder.0.in").touch()
    (endpoints.run_dir / "recorder.0.ask").touch()
    loop = Loop(Recorder(), context, endpoints)
    assert ask_in_between(context, endpoints, loop, "double", 1) == ("double", 2)
