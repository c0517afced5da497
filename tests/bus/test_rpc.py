"""The two sides of the `ask` and `control` doors."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import Board, BusError, Door, Question, Refused, ask

HERE = "inproc://door"
DEADLINE_MS = 2000


@pytest.fixture
def door(context: BusContext) -> Door:
    return Door(context, HERE)


@pytest.fixture
def asker(context: BusContext, door: Door) -> zmq.Socket[bytes]:
    assert door.take() is None
    asker = context.socket(zmq.DEALER)
    asker.connect(HERE)
    return asker


def test_questions_are_replied_to_in_any_order(door: Door, asker: zmq.Socket[bytes]) -> None:
    asker.send(frames.pack("first", [1]))
    asker.send(frames.pack("second", None))
    assert door.sockets[0].poll(DEADLINE_MS)
    first, second = door.take(), door.take()
    assert first is not None
    assert second is not None
    assert (first.subject, first.body) == ("first", [1])
    assert door.take() is None
    second.reply("two")
    first.refuse("not now")
    assert frames.unpack(asker.recv()) == ("second", "two")
    assert frames.unpack(asker.recv()) == ("error", "not now")


@pytest.mark.parametrize("parts", [[b"junk"], [b""], [b"", frames.pack("q", 1), b"more"]])
def test_what_is_no_question_is_counted_and_refused(
    door: Door, asker: zmq.Socket[bytes], parts: list[bytes]
) -> None:
    asker.send_multipart(parts)
    assert door.sockets[0].poll(DEADLINE_MS)
    assert door.take() is None
    assert door.bad_frames == 1
    subject, _ = frames.unpack(asker.recv())
    assert subject == "error"


def test_reply_to_an_asker_that_has_gone_is_dropped(door: Door, asker: zmq.Socket[bytes]) -> None:
    asker.send(frames.pack("q", None))
    assert door.sockets[0].poll(DEADLINE_MS)
    question = door.take()
    assert question is not None
    asker.close(linger=0)
    question.reply("too late")
    door.close()


def serve_once(door: Door, respond: Callable[[Question], None]) -> threading.Thread:
    def serve() -> None:
        assert door.sockets[0].poll(DEADLINE_MS)
        question = door.take()
        assert question is not None
        respond(question)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_question_is_answered(context: BusContext, endpoints: Endpoints) -> None:
    at = endpoints.ask("journal")
    door = Door(context, at)
    thread = serve_once(door, lambda question: question.reply([question.subject, question.body]))
    assert ask(at, "call.list", {"all": True}) == ["call.list", {"all": True}]
    thread.join(2)


def test_a_refusal_is_an_error_with_its_text(context: BusContext, endpoints: Endpoints) -> None:
    at = endpoints.ask("journal")
    door = Door(context, at)
    thread = serve_once(door, lambda question: question.refuse("no such call"))
    with pytest.raises(Refused, match="no such call"):
        ask(at, "call.list")
    thread.join(2)


def test_an_answer_of_another_version_is_an_error(context: BusContext, endpoints: Endpoints) -> None:
    at = endpoints.ask("journal")
    door = Door(context, at)

    def answer_in_another_version(question: Question) -> None:
        question.socket.send_multipart([question.asker, b"\x93\x02"])

    thread = serve_once(door, answer_in_another_version)
    with pytest.raises(BusError, match="no frame"):
        ask(at, "call.list")
    thread.join(2)


@pytest.mark.parametrize("bound", [False, True])
def test_no_answer_is_an_error_at_the_deadline(
    context: BusContext, endpoints: Endpoints, bound: bool
) -> None:
    at = endpoints.ask("journal")
    if bound:
        context.socket(zmq.ROUTER).bind(at)
    started = time.monotonic()
    with pytest.raises(BusError, match=r"did not answer 'stats' within 0\.05 s"):
        ask(at, "stats", timeout_s=0.05)
    assert 0.04 < time.monotonic() - started < 1


LIMIT_S = 10.0


def serve(door: Door, workers: list[dict[str, Any]], stop: threading.Event) -> None:
    while not stop.is_set():
        if door.sockets[0].poll(10) and (question := door.take()):
            question.reply(workers)


def endpoint(tmp_path: Path, name: str) -> str:
    return f"ipc://{tmp_path}/{name}"


def test_silent_parent_is_not_up(tmp_path: Path) -> None:
    with BusContext() as context:
        board = Board(context, {"edge": endpoint(tmp_path, "edge")})
        board.wait(0.05)
        assert board.answers == {}
        assert board.not_up() == ["edge"]
        board.close()


def test_answers(tmp_path: Path) -> None:
    stop = threading.Event()
    said = {"edge": [{"state": "up"}], "router": [{"state": "up"}, {"state": "starting"}], "journal": []}
    with BusContext() as context:
        doors = {name: Door(context, endpoint(tmp_path, name)) for name in said}
        threads = [
            threading.Thread(target=serve, args=(door, said[name], stop)) for name, door in doors.items()
        ]
        for thread in threads:
            thread.start()
        board = Board(context, {name: endpoint(tmp_path, name) for name in said})
        board.wait(LIMIT_S)
        stop.set()
        for thread in threads:
            thread.join(LIMIT_S)
        assert board.answers == said
        assert board.not_up() == ["router", "journal"]
        board.close()
        for door in doors.values():
            door.close()


def test_nobody_is_asked_again_because_others_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.bus.rpc.PATIENCE_S", LIMIT_S)
    names = [f"router.{number}" for number in range(5)]
    with BusContext() as context:
        doors = {name: Door(context, endpoint(tmp_path, name)) for name in names}
        board = Board(context, {name: endpoint(tmp_path, name) for name in names})
        waiting = threading.Thread(target=board.wait, args=(LIMIT_S,))
        waiting.start()
        for door in doors.values():  # one after the other, so that each answer wakes the board
            assert door.sockets[0].poll(int(LIMIT_S * 1000))
            question = door.take()
            assert question
            question.reply([])
        waiting.join(LIMIT_S)
        assert sorted(board.answers) == names
        assert [door.take() for door in doors.values()] == [None] * len(names)
        board.close()
        for door in doors.values():
            door.close()
