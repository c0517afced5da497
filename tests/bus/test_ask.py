import threading
import time
from collections.abc import Callable

import pytest
import zmq

from switchboard.bus.ask import BusError, Refused, ask
from switchboard.bus.context import BusContext
from switchboard.bus.door import Door, Question
from switchboard.bus.endpoints import Endpoints

DEADLINE_MS = 2000


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
