"""A trunk's registration: what it sends, what it makes of answers, and what a successor goes on with."""

from dataclasses import replace

import pytest

from switchboard.auth.digest import SHA256, Credentials, challenge, make_ha1
from switchboard.sip.message import Message, parse_message
from switchboard.trunks.registration import (
    ENDED,
    LATE_S,
    LONGEST_S,
    REFUSED_S,
    STABLE_S,
    Account,
    Registration,
    Saved,
)

ACCOUNT = Account("p", "sip:10.9.0.1;transport=tcp", "voip.example", "481", "login", "trunk-1", 3600)
PASSWORD = "secret"


def begin(saved: Saved | None = None, account: Account = ACCOUNT) -> Registration:
    return Registration(account, saved or Saved("call-1", "tag-1"), lambda: 0.0)


def again(old: Registration) -> Registration:
    """Its process died; the successor has what was kept."""
    saved = Saved.of(old.saved.to_dict())
    assert saved is not None
    return begin(saved)


def request(registration: Registration, at: float = 0.0) -> Message:
    raw = registration.request(at, PASSWORD, "0a4f")
    return parse_message(raw.replace(b"\r\n", b"\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n", 1))


def answer(
    registration: Registration, status: int, *lines: str, at: float = 0.0, reason: str = "Whatever"
) -> bool:
    head = [
        f"SIP/2.0 {status} {reason}",
        "Via: SIP/2.0/TCP h;branch=z9hG4bK1",
        "From: <sip:481@voip.example>;tag=tag-1",
        "To: <sip:481@voip.example>;tag=x",
        "Call-ID: call-1",
        "CSeq: 1 REGISTER",
        *lines,
    ]
    return registration.take(status, "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n", at)


def asks(nonce: str, *, stale: bool = False) -> str:
    return "WWW-Authenticate: " + challenge("voip", nonce, SHA256, stale=stale)


def shown(message: Message) -> Credentials:
    credentials = Credentials.parse(message.get("authorization") or "")
    assert credentials.response == credentials.expected(
        make_ha1(SHA256, "login", "voip", PASSWORD), "REGISTER"
    )
    return credentials


def test_the_request() -> None:
    first = request(begin())
    assert first.uri == "sip:10.9.0.1;transport=tcp"
    assert first.from_uri == first.to_uri == "sip:481@voip.example"
    assert (first.call_id, first.cseq, first.from_tag) == ("call-1", (1, "REGISTER"), "tag-1")
    assert first.get("contact") == "<sip:trunk-1@here.invalid;transport=tcp>;expires=3600"
    assert first.get("authorization") is None


def test_it_is_registered_for_as_long_as_its_contact_says() -> None:
    registration = begin()
    request(registration)
    lines = "Contact: <sip:trunk-1@10.0.0.1>;expires=100, <sip:other@10.0.0.2>;expires=7", "Expires: 9"
    assert not answer(registration, 200, *lines, at=1000.0)
    assert registration.is_registered(1099.0)
    assert not registration.is_registered(1100.0)
    assert registration.saved.next_at == pytest.approx(1070.0)
    assert request(registration, 1070.0).cseq[0] == 2


@pytest.mark.parametrize(
    ("lines", "granted_s"),
    [(["Expires: 60"], 60), ([], 3600), (["Contact: <sip:x@h>;expires=5", "Expires: 80 (s)"], 80)],
)
def test_a_200_that_names_our_contact_otherwise(lines: list[str], granted_s: int) -> None:
    registration = begin()
    request(registration)
    answer(registration, 200, *lines)
    assert registration.saved.until_at == granted_s


def test_a_200_that_removes_us_is_a_refusal() -> None:
    registration = begin()
    request(registration)
    answer(registration, 200, "Contact: <sip:trunk-1@10.0.0.1>;expires=0")
    assert "dropped" in registration.saved.refusal
    assert not registration.is_registered(0.0)


def test_a_challenge_is_answered_and_its_nonce_is_used_on() -> None:
    registration = begin()
    request(registration)
    assert answer(registration, 401, asks("n1"))
    second = request(registration)
    assert (second.cseq[0], shown(second).nonce, shown(second).nonce_count) == (2, "n1", 1)
    assert not answer(registration, 200)
    third = request(registration, 2520.0)
    assert (shown(third).nonce, shown(third).nonce_count) == ("n1", 2)
    assert answer(registration, 401, asks("n2"), at=2520.0)  # the old nonce, without a word of stale
    fourth = request(registration, 2520.0)
    assert (fourth.cseq[0], shown(fourth).nonce, shown(fourth).nonce_count) == (4, "n2", 1)
    assert not answer(registration, 200, at=2520.0)
    assert not registration.saved.refusal


def test_a_wrong_password_is_told_and_not_tried_at_once() -> None:
    registration = begin()
    request(registration)
    assert answer(registration, 401, asks("n1"))
    request(registration)
    assert not answer(registration, 401, asks("n2"), reason="Unauthorized")
    assert registration.saved.refusal == "it does not take the password (401 Unauthorized)"
    assert registration.saved.next_at == REFUSED_S


def test_a_provider_that_finds_each_nonce_stale_gets_two_answers() -> None:
    registration = begin()
    answers = 0
    request(registration)
    while answer(registration, 401, asks(f"n{answers}", stale=answers > 0)):
        answers += 1
        shown(request(registration))
    assert answers == 2
    assert "password" in registration.saved.refusal


def test_a_407_is_answered_in_its_own_field() -> None:
    registration = begin()
    request(registration)
    assert answer(registration, 407, "Proxy-Authenticate: " + challenge("voip", "n", SHA256, stale=False))
    assert request(registration).get("proxy-authorization")


def test_a_challenge_that_nobody_can_answer() -> None:
    registration = begin()
    request(registration)
    assert not answer(registration, 401, 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=AKAv1-MD5')
    assert "cannot prove" in registration.saved.refusal


def test_a_challenge_without_a_password() -> None:
    registration = begin()
    assert "Authorization" not in registration.request(0.0, "", "c").decode()
    raw = (
        b"SIP/2.0 401 No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
    )
    raw += b"Call-ID: call-1\r\nCSeq: 1 REGISTER\r\n" + asks("n").encode() + b"\r\n\r\n"
    assert not registration.take(401, raw, 0.0, has_password=False)
    assert "switchboard trunk password p" in registration.saved.refusal


def test_the_least_expiry_is_asked_for() -> None:
    registration = begin()
    request(registration)
    assert answer(registration, 423, "Min-Expires: 7200")
    assert request(registration).get("expires") == "7200"
    assert not answer(registration, 423, "Min-Expires: 7200")
    assert registration.saved.next_at == REFUSED_S


def test_who_is_busy_says_when_to_come_back() -> None:
    registration = begin()
    request(registration)
    assert not answer(registration, 503, "Retry-After: 120 (lunch)", reason="Busy")
    assert registration.saved.next_at == 120.0
    assert registration.saved.refusal == "503 Busy"


def test_tries_come_later_and_later_while_nobody_is_there() -> None:
    registration, at, pauses = begin(), 0.0, []
    for _ in range(10):
        request(registration, at)
        assert not registration.take(503, b"", at)
        pauses.append(registration.saved.next_at - at)
        at = registration.saved.next_at
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == LATE_S
    assert registration.saved.refusal == "nobody can be reached there"
    request(registration, at)
    assert not answer(registration, 200, at=at)
    request(registration, at)
    registration.miss(at)
    assert registration.saved.next_at == at + 2.0


def test_a_failed_refresh_ends_no_registration() -> None:
    registration = begin()
    request(registration)
    answer(registration, 200)
    request(registration, 2520.0)
    registration.take(408, b"", 2552.0)
    assert registration.is_registered(3599.0)


def test_a_refusal_is_told_in_the_providers_words() -> None:
    registration = begin()
    request(registration)
    assert not answer(registration, 403, reason="Account Suspended")
    assert (registration.saved.refusal, registration.saved.next_at) == ("403 Account Suspended", REFUSED_S)


@pytest.mark.parametrize("raw", [b"SIP/2.0 200 OK\r\n\r\n", b"nonsense"])
def test_an_answer_that_cannot_be_read_is_none(raw: bytes) -> None:
    registration = begin()
    request(registration)
    assert not registration.take(200, raw, 0.0)
    assert not registration.is_registered(0.0)


def test_a_successor_goes_on() -> None:
    registration = begin()
    request(registration)
    answer(registration, 401, asks("n1"))
    request(registration)
    answer(registration, 200)
    successor = again(registration)
    assert successor.is_registered(3599.0)
    assert successor.saved.next_at == registration.saved.next_at
    message = request(successor, 2520.0)
    assert (message.call_id, message.cseq[0], shown(message).nonce_count) == ("call-1", 3, 2)
    third = again(successor)  # it had sent a request, and will never hear of it
    assert third.saved.next_at == 0.0
    assert request(third, 2521.0).cseq[0] == 4


def test_another_account_of_that_name_begins_anew() -> None:
    registration = begin()
    request(registration)
    answer(registration, 200)
    other = begin(Saved.of(registration.saved.to_dict()), replace(ACCOUNT, user="482"))
    assert not other.is_registered(0.0)
    assert other.saved.next_at == 0.0
    assert request(other).cseq[0] == 2


@pytest.mark.parametrize(
    "found",
    [None, [], {}, {"call_id": "a"}, {"call_id": 1, "tag": "t"}, {"call_id": "a", "tag": "t", "x": 1}],
)
def test_what_is_damaged_is_not_believed(found: object) -> None:
    assert Saved.of(found) is None


def test_a_provider_that_wants_longer_and_longer_is_not_asked_at_once_again() -> None:
    registration = begin()
    request(registration)
    assert answer(registration, 423, "Min-Expires: 7200")
    request(registration)
    assert not answer(registration, 423, "Min-Expires: 7201")
    assert registration.saved.next_at == REFUSED_S
    request(registration)
    assert answer(registration, 423, "Min-Expires: 7201")


def test_an_expiry_without_end_is_a_long_one() -> None:
    registration = begin()
    request(registration)
    assert not answer(registration, 200, f"Contact: <sip:trunk-1@h>;expires={'9' * 5000}")
    assert registration.saved.until_at == LONGEST_S


def test_a_challenge_that_makes_no_request_is_not_kept() -> None:
    registration = begin()
    request(registration)
    assert not answer(registration, 401, asks("x" * 60_000))
    request(registration)
    assert answer(registration, 401, asks("x"))


def test_a_phrase_that_is_no_text_is_shown_nevertheless() -> None:
    registration = begin()
    request(registration)
    assert not answer(registration, 403, reason="F\udcfcr Sie gesperrt" + "!" * 1000)
    assert registration.saved.refusal.startswith("403 F\ufffdr Sie gesperrt!")
    assert len(registration.saved.refusal) < 200


FLOW = b"flow"
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:481@voip.example>;tag=tag-1\r\n"
    b"To: <sip:481@voip.example>;tag=x\r\nCall-ID: call-1\r\nCSeq: 1 REGISTER\r\nExpires: 3600\r\n\r\n"
)


def registered_at(registration: Registration, at: float) -> None:
    request(registration, at)
    assert not registration.take(200, OK, at, flow=FLOW)


def test_it_tries_again_at_once_when_a_flow_ends_and_later_if_flows_do_not_last() -> None:
    registration, at = begin(), 0.0
    pauses = []
    for lasted_s in (STABLE_S, *[5.0] * 10, STABLE_S):
        registered_at(registration, at)
        assert registration.saved.flow == FLOW.hex()
        at += lasted_s
        assert registration.lose(at, ENDED)
        assert not registration.lose(at, ENDED)
        assert registration.saved.refusal == ENDED
        pauses.append(registration.saved.next_at - at)
        at = registration.saved.next_at
    assert pauses[:4] == [0.5, 0.5, 1.0, 2.0]
    assert pauses[10:] == [LATE_S / 2, 0.5]


def test_a_flow_that_may_have_ended_is_looked_after_once() -> None:
    registration = begin()
    registration.doubt(0.0)
    assert registration.saved.next_at == 0.0
    registered_at(registration, 0.0)
    registration.doubt(10.0)
    assert registration.saved.next_at == 10.5
    assert (registration.saved.refusal, registration.saved.losses) == ("", 0)


def test_while_a_request_is_under_way_no_flow_is_lost() -> None:
    registration = begin()
    registered_at(registration, 0.0)
    request(registration, 1.0)
    assert not registration.lose(2.0, ENDED)
