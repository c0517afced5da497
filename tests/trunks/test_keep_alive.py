"""Keep-alives along the flow of a registration: when they leave, and what their answers mean."""

from switchboard.sip.message import parse_message
from switchboard.trunks.keep_alive import KeepAlive
from switchboard.trunks.registration import Account

ACCOUNT = Account("p", "sip:10.9.0.1;transport=tcp", "voip.example", "481", "login", "trunk-1", 3600)


def test_one_at_a_time() -> None:
    alive = KeepAlive(ACCOUNT, 25.0)
    alive.begin(100.0)
    assert alive.next_at() == 125.0
    raw = alive.request(126.0, "call-1")
    assert alive.next_at() is None
    assert not alive.take(b"p alive 0", False)
    assert not alive.take(alive.token, True)
    assert alive.next_at() == 151.0
    request = parse_message(raw.replace(b"\r\n", b"\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n", 1))
    assert (request.method, request.uri, request.call_id) == ("OPTIONS", ACCOUNT.registrar, "call-1")
    assert request.from_uri == "sip:481@voip.example"


def test_one_that_nobody_answers_is_told_once() -> None:
    alive = KeepAlive(ACCOUNT, 25.0)
    alive.request(0.0, "call-1")
    assert alive.take(alive.token, False)
    assert not alive.take(alive.token, False)


def test_none_are_wanted() -> None:
    alive = KeepAlive(ACCOUNT, 0.0)
    alive.begin(100.0)
    assert alive.next_at() is None
