"""The bus between workers and routers: who is asked, what is taken as an answer, and what is missed."""

import pytest
from bus.inbox import bind_inbox, next_frame

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import Outbox
from switchboard.core.own_requests import Answer, Wanted
from switchboard.workers.own_requests import GRACE_S, AnswerBoxes, Requester

RAW = b"REGISTER sip:voip.example SIP/2.0\r\nCall-ID: c-1\r\n\r\n"


@pytest.fixture
def requester(context: BusContext, endpoints: Endpoints) -> Requester:
    return Requester(context, endpoints, "trunks", 2, 32.0)


def waiting(requester: Requester) -> list[int]:
    return [each.waiting for each in requester.outboxes]


def test_requests_of_one_call_id_go_to_one_router(requester: Requester) -> None:
    for number in range(10):
        requester.ask(b"%d" % number, RAW, 0.0)
    assert sorted(waiting(requester)) == [0, 10]


def test_a_router_that_is_away_is_not_asked(
    context: BusContext, endpoints: Endpoints, requester: Requester
) -> None:
    requester.ask(b"first", RAW, 0.0)
    preferred = waiting(requester).index(1)
    other = requester.outboxes[1 - preferred]
    with bind_inbox(context, endpoints.inbox("router", 1 - preferred)) as inbox:
        other.put(["x"])
        while not other.flush():
            other.peer.link.look(0.0)
        next_frame(inbox)
        requester.ask(b"second", RAW, 0.0)
        assert other.flush()
        assert next_frame(inbox) == ("request.wanted", [["trunks", b"second", RAW, b"", ""]])


def test_an_answer_is_taken_once(requester: Requester) -> None:
    requester.ask(b"a", RAW, 0.0)
    body = [[b"a", 200, b"OK", b"flow"], [b"b", 200, b"", b""], "nonsense"]
    assert requester.take(body) == [Answer(b"a", 200, b"OK", b"flow")]
    assert requester.take(body) == []
    assert requester.take(None) == []
    assert requester.next_deadline() is None


def test_what_is_not_answered_is_told(requester: Requester) -> None:
    requester.ask(b"a", RAW, 0.0)
    requester.ask(b"b", RAW, 1.0)
    requester.ask(b"a", RAW, 2.0)
    assert requester.next_deadline() == 1.0 + 32.0 + GRACE_S
    assert requester.take_unheard(1.5 + 32.0 + GRACE_S) == [b"b"]
    assert requester.take_unheard(2.0 + 32.0 + GRACE_S) == [b"a"]
    assert requester.stats() == {"requests_waiting": 0, "requests_unheard": 2}


def test_what_a_router_took_with_it_is_told(requester: Requester) -> None:
    requester.ask(b"a", RAW, 0.0)
    router = waiting(requester).index(1)
    assert requester.take_lost(1 - router) == []
    assert requester.take_lost(None) == []
    assert requester.take_lost(router) == [b"a"]
    assert requester.take_lost(router) == []
    assert requester.next_deadline() is None


def test_a_router_tells_that_it_is_another_one(context: BusContext, endpoints: Endpoints) -> None:
    outboxes: list[Outbox] = []
    AnswerBoxes(context, endpoints, outboxes).announce(3, ["presence"])
    (outbox,) = outboxes
    with bind_inbox(context, endpoints.inbox("presence")) as inbox:
        while not outbox.flush():
            outbox.peer.link.look(0.0)
        assert next_frame(inbox) == ("router.restarted", [3])


def test_a_router_takes_requests_of_workers_and_of_nobody_else(
    context: BusContext, endpoints: Endpoints
) -> None:
    outboxes: list[Outbox] = []
    boxes = AnswerBoxes(context, endpoints, outboxes)
    items = [["trunks", b"a", RAW, b"", ""], ["journal", b"a", RAW, b"", ""], ["trunks", 1], None]
    assert boxes.read(items) == ([Wanted("trunks", b"a", RAW)], 3)
    boxes.put({"trunks": [Answer(b"a", 408)]})
    (outbox,) = outboxes
    with bind_inbox(context, endpoints.inbox("trunks")) as inbox:
        while not outbox.flush():
            outbox.peer.link.look(0.0)
        assert next_frame(inbox) == ("request.answered", [[b"a", 408, b"", b""]])
