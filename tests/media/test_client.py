"""The client by itself: what leaves, when, to whom."""

import pytest

from switchboard.media.bencode import Value, decode, encode
from switchboard.media.client import ANSWER_S, MOST, PING_S, Datagram, NgClient
from switchboard.media.commands import Ask
from switchboard.media.engine import Engine

ONE, OTHER = Engine("127.0.0.1", 2223), Engine("127.0.0.1", 2224)
OFFER: dict[str, Value] = {"command": "offer", "sdp": "v=0"}


@pytest.fixture
def client() -> NgClient:
    made = NgClient([ONE, OTHER], "p_")
    assert made.next_deadline() == 0.0
    answer_pings(made, made.handle_timer(0.0), 0.0)
    return made


def answer_pings(client: NgClient, sent: "list[Datagram] | object", now: float) -> None:
    assert isinstance(sent, list)
    for engine, raw in sent:
        assert not list(client.receive(engine, reply(raw, {"result": "pong"}), now))


def reply(raw: bytes, told: dict[str, Value]) -> bytes:
    return raw.partition(b" ")[0] + b" " + encode(told)


def only(sent: object) -> Datagram:
    (found,) = list(sent)  # type: ignore[call-overload]
    assert isinstance(found, tuple)
    return found


def test_an_answer_comes_to_who_asked(client: NgClient) -> None:
    engine, raw = only(client.ask(Ask(7, OFFER, [ONE, OTHER]), 1.0))
    cookie, _, body = raw.partition(b" ")
    assert engine == ONE
    assert cookie.startswith(b"p_")
    assert decode(body) == {b"command": b"offer", b"sdp": b"v=0"}
    assert not list(client.receive(ONE, reply(raw, {"result": "ok", "sdp": "v=1"}), 1.1))
    ((token, told),) = client.take_told()
    assert (token, told.engine, told.sdp) == (7, ONE, b"v=1")
    assert client.take_told() == []
    assert client.waiting == 0


def test_who_does_not_answer_is_asked_again_and_then_another(client: NgClient) -> None:
    _, raw = only(client.ask(Ask(7, OFFER, [ONE, OTHER]), 1.0))
    assert client.next_deadline() == 1.0 + ANSWER_S
    assert only(client.handle_timer(1.0 + ANSWER_S)) == (ONE, raw)
    engine, moved = only(client.handle_timer(1.0 + 2 * ANSWER_S))
    assert engine == OTHER
    assert moved.partition(b" ")[0] != raw.partition(b" ")[0]
    assert client.gone == {ONE}
    assert client.notes() == ["the media engine rtpengine://127.0.0.1:2223 does not answer"]
    list(client.receive(OTHER, reply(moved, {"result": "ok"}), 2.1))
    assert client.take_told()[0][1].engine == OTHER
    assert not list(client.receive(ONE, reply(raw, {"result": "ok"}), 2.2))  # too late
    assert client.take_told() == []
    stats = client.stats()
    assert (stats["media_repeated"], stats["media_moved"], stats["media_bad"], stats["media_gone"]) == (
        1,
        1,
        1,
        1,
    )


def test_who_is_gone_is_asked_last_and_once_until_it_answers_a_ping(client: NgClient) -> None:
    client.gone.add(ONE)
    engine, _ = only(client.ask(Ask(7, OFFER, [ONE, OTHER]), 1.0))
    assert engine == OTHER
    only(client.handle_timer(1.0 + ANSWER_S))
    assert only(client.handle_timer(1.0 + 2 * ANSWER_S))[0] == ONE
    assert not list(client.handle_timer(1.0 + 3 * ANSWER_S))
    ((_, told),) = client.take_told()
    assert (told.engine, told.error) == (None, "no media engine answers")
    assert client.gone == {ONE, OTHER}
    answer_pings(client, client.handle_timer(PING_S), PING_S)
    assert client.gone == set()
    assert client.notes() == []


def test_where_nobody_listens_the_next_one_is_asked_at_once(client: NgClient) -> None:
    only(client.ask(Ask(7, OFFER, [ONE, OTHER]), 1.0))
    assert only(client.refuse(ONE, 1.0))[0] == OTHER
    assert not list(client.refuse(OTHER, 1.0))
    assert client.take_told()[0][1].engine is None


def test_an_error_is_the_answer_or_moves_on(client: NgClient) -> None:
    error: dict[str, Value] = {"result": "error", "error-reason": "Ran out of ports"}
    _, raw = only(client.ask(Ask(7, OFFER, [ONE, OTHER]), 1.0))
    assert not list(client.receive(ONE, reply(raw, error), 1.0))
    assert client.take_told()[0][1].error == "Ran out of ports"
    _, raw = only(client.ask(Ask(8, OFFER, [ONE, OTHER], moves_on=True), 1.0))
    engine, raw = only(client.receive(ONE, reply(raw, error), 1.0))
    assert engine == OTHER
    assert not list(client.receive(OTHER, reply(raw, error), 1.0))
    told = client.take_told()[0][1]
    assert (told.error, told.lost) == ("Ran out of ports", (ONE,))


def test_what_is_no_answer_is_told_as_one(client: NgClient) -> None:
    _, raw = only(client.ask(Ask(7, OFFER, [ONE]), 1.0))
    assert not list(client.receive(OTHER, reply(raw, {"result": "ok"}), 1.0))
    assert not list(client.receive(ONE, b"", 1.0))
    assert client.take_told() == []
    assert not list(client.receive(ONE, raw.partition(b" ")[0] + b" rubbish", 1.0))
    assert "cannot be read" in client.take_told()[0][1].error
    assert client.stats()["media_bad"] == 3


def test_nobody_is_asked_where_there_is_none(client: NgClient) -> None:
    assert not list(client.ask(Ask(7, OFFER, []), 1.0))
    assert client.take_told()[0][1].error == "there is no media engine"


def test_too_many_questions_are_answered_at_once(client: NgClient) -> None:
    for token in range(MOST):
        only(client.ask(Ask(token, OFFER, [ONE]), 1.0))
    assert not list(client.ask(Ask(MOST, OFFER, [ONE]), 1.0))
    ((token, told),) = client.take_told()
    assert (token, told.error) == (MOST, "too many questions wait for the media engines")


def test_nobody_waits_for_what_is_told_only(client: NgClient) -> None:
    _, raw = only(client.ask(Ask(None, {"command": "delete"}, [ONE]), 1.0))
    list(client.receive(ONE, reply(raw, {"result": "ok"}), 1.0))
    assert client.take_told() == []
