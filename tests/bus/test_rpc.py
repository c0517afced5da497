"""The two sides of the `call_rpc` and `control` sockets."""

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
from switchboard.bus.rpc import Question, RpcError, RpcGroup, RpcRefused, RpcServer, call_rpc

HERE = "inproc://rpc"
DEADLINE_MS = 2000


@pytest.fixture
def server(context: BusContext) -> RpcServer:
    return RpcServer(context, HERE)


@pytest.fixture
def asker(context: BusContext, server: RpcServer) -> zmq.Socket[bytes]:
    assert server.take() is None
    asker = context.socket(zmq.DEALER)
    asker.connect(HERE)
    return asker


def test_questions_are_replied_to_in_any_order(server: RpcServer, asker: zmq.Socket[bytes]) -> None:
    asker.send(frames.pack("first", [1]))
    asker.send(frames.pack("second", None))
    assert server.sockets[0].poll(DEADLINE_MS)
    first, second = server.take(), server.take()
    assert first is not None
    assert second is not None
    assert (first.subject, first.body) == ("first", [1])
    assert server.take() is None
    second.reply("two")
    first.refuse("not now")
    assert frames.unpack(asker.recv()) == ("second", "two")
    assert frames.unpack(asker.recv()) == ("error", "not now")


@pytest.mark.parametrize("parts", [[b"junk"], [b""], [b"", frames.pack("q", 1), b"more"]])
def test_what_is_no_question_is_counted_and_refused(
    server: RpcServer, asker: zmq.Socket[bytes], parts: list[bytes]
) -> None:
    asker.send_multipart(parts)
    assert server.sockets[0].poll(DEADLINE_MS)
    assert server.take() is None
    assert server.bad_frames == 1
    subject, _ = frames.unpack(asker.recv())
    assert subject == "error"


def test_reply_to_an_asker_that_has_gone_is_dropped(server: RpcServer, asker: zmq.Socket[bytes]) -> None:
    asker.send(frames.pack("q", None))
    assert server.sockets[0].poll(DEADLINE_MS)
    question = server.take()
    assert question is not None
    asker.close(linger=0)
    question.reply("too late")
    server.close()


def serve_once(server: RpcServer, respond: Callable[[Question], None]) -> threading.Thread:
    def serve() -> None:
        assert server.sockets[0].poll(DEADLINE_MS)
        question = server.take()
        assert question is not None
        respond(question)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_question_is_answered(context: BusContext, endpoints: Endpoints) -> None:
    at = endpoints.ask("journal")
    server = RpcServer(context, at)
    thread = serve_once(server, lambda question: question.reply([question.subject, question.body]))
    assert call_rpc(at, "call.list", {"all": True}) == ["call.list", {"all": True}]
    thread.join(2)


def test_a_refusal_is_an_error_with_its_text(context: BusContext, endpoints: Endpoints) -> None:
    at = endpoints.ask("journal")
    server = RpcServer(context, at)
    thread = serve_once(server, lambda question: question.refuse("no such call"))
    with pytest.raises(RpcRefused, match="no such call"):
        call_rpc(at, "call.list")
    thread.join(2)


def test_an_answer_of_another_version_is_an_error(context: BusContext, endpoints: Endpoints) -> None:
    at = endpoints.ask("journal")
    server = RpcServer(context, at)

    def answer_in_another_version(question: Question) -> None:
        question.socket.send_multipart([question.asker, b"\x93\x02"])

    thread = serve_once(server, answer_in_another_version)
    with pytest.raises(RpcError, match="no frame"):
        call_rpc(at, "call.list")
    thread.join(2)


@pytest.mark.parametrize("bound", [False, True])
def test_no_answer_is_an_error_at_the_deadline(
    context: BusContext, endpoints: Endpoints, bound: bool
) -> None:
    at = endpoints.ask("journal")
    if bound:
        context.socket(zmq.ROUTER).bind(at)
    started = time.monotonic()
    with pytest.raises(RpcError, match=r"did not answer 'stats' within 0\.05 s"):
        call_rpc(at, "stats", timeout_s=0.05)
    assert 0.04 < time.monotonic() - started < LIMIT_S


LIMIT_S = 10.0


def serve(server: RpcServer, workers: list[dict[str, Any]], stop: threading.Event) -> None:
    while not stop.is_set():
        if server.sockets[0].poll(10) and (question := server.take()):
            question.reply(workers)


def endpoint(tmp_path: Path, name: str) -> str:
    return f"ipc://{tmp_path}/{name}"


def test_silent_parent_is_not_up(tmp_path: Path) -> None:
    with BusContext() as context:
        group = RpcGroup(context, {"edge": endpoint(tmp_path, "edge")})
        group.wait(0.05)
        assert group.answers == {}
        assert group.not_up() == ["edge"]
        group.close()


def test_answers(tmp_path: Path) -> None:
    stop = threading.Event()
    said = {"edge": [{"state": "up"}], "router": [{"state": "up"}, {"state": "starting"}], "journal": []}
    with BusContext() as context:
        servers = {name: RpcServer(context, endpoint(tmp_path, name)) for name in said}
        threads = [
            threading.Thread(target=serve, args=(server, said[name], stop))
            for name, server in servers.items()
        ]
        for thread in threads:
            thread.start()
        group = RpcGroup(context, {name: endpoint(tmp_path, name) for name in said})
        group.wait(LIMIT_S)
        stop.set()
        for thread in threads:
            thread.join(LIMIT_S)
        assert group.answers == said
        assert group.not_up() == ["router", "journal"]
        group.close()
        for server in servers.values():
            server.close()


def test_nobody_is_asked_again_because_others_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.bus.rpc.PATIENCE_S", LIMIT_S)
    names = [f"router.{number}" for number in range(5)]
    with BusContext() as context:
        servers = {name: RpcServer(context, endpoint(tmp_path, name)) for name in names}
        group = RpcGroup(context, {name: endpoint(tmp_path, name) for name in names})
        waiting = threading.Thread(target=group.wait, args=(LIMIT_S,))
        waiting.start()
        for server in servers.values():  # one after the other, so that each answer wakes the group
            assert server.sockets[0].poll(int(LIMIT_S * 1000))
            question = server.take()
            assert question
            question.reply([])
        waiting.join(LIMIT_S)
        assert sorted(group.answers) == names
        assert [server.take() for server in servers.values()] == [None] * len(names)
        group.close()
        for server in servers.values():
            server.close()
