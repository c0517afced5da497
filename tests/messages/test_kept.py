"""What of a MESSAGE is kept, and how it leaves later."""

import pytest

from switchboard.messages.kept import Kept, is_worth_keeping, key_of, make_kept
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message

DAY_S = 86_400.0
AT = 1_700_000_000.0


def message(*lines: str, body: str = "hello") -> Message:
    head = (
        "MESSAGE sip:lenka@10.0.0.1 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.0.11;branch=z9hG4bKa",
        "Route: <sip:10.0.0.1;lr>",
        "Max-Forwards: 69",
        'From: "Lukáš" <sip:lukas@10.0.0.1>;tag=f',
        "To: <sip:lenka@10.0.0.1>",
        "Call-ID: c-1",
        "CSeq: 7 MESSAGE",
        'Proxy-Authorization: Digest realm="x"',
        "v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb",
        *lines,
        f"Content-Length: {len(body)}",
    )
    return parse_message("\r\n".join(head).encode() + b"\r\n\r\n" + body.encode())


def keep(found: Message, user: str = "lenka") -> Kept:
    return make_kept(found, user, True, AT, 7 * DAY_S)


def test_it_leaves_as_it_came_but_for_the_way() -> None:
    kept = keep(message("Content-Type: message/cpim", "X-Any: thing", body="From: <sip:a@b>\r\n\r\nhello"))
    head, _, body = kept.raw.decode().partition("\r\n\r\n")
    assert head.split("\r\n") == [
        "MESSAGE sip:lenka@here.invalid SIP/2.0",
        "Max-Forwards: 70",
        "Date: Tue, 14 Nov 2023 22:13:20 GMT",
        'From: "Lukáš" <sip:lukas@10.0.0.1>;tag=f',
        "To: <sip:lenka@10.0.0.1>",
        "Call-ID: c-1",
        "CSeq: 7 MESSAGE",
        "Content-Type: message/cpim",
        "X-Any: thing",
        "Content-Length: 24",
    ]
    assert body == "From: <sip:a@b>\r\n\r\nhello"
    assert (kept.sender, kept.call_id, kept.sent_at) == ("sip:lukas@10.0.0.1", "c-1", AT)


def test_the_date_of_the_sender_stays() -> None:
    date = "Date: Mon, 13 Nov 2023 00:00:00 GMT"
    assert keep(message(date)).raw.count(b"Date:") == 1
    assert date.encode() in keep(message(date)).raw


@pytest.mark.parametrize(
    ("line", "lasts_s"), [("X: y", 7 * DAY_S), ("Expires: 60", 60.0), ("Expires: soon", 7 * DAY_S)]
)
def test_how_long_it_is_kept(line: str, lasts_s: float) -> None:
    assert keep(message(line)).ends_at == AT + lasts_s


@pytest.mark.parametrize(
    ("line", "is_worth"),
    [
        ("Content-Type: text/plain", True),
        ("c: message/imdn+xml", True),
        ("Content-Type: application/im-iscomposing+xml;charset=utf-8", False),
        ("Expires: 0", False),
    ],
)
def test_what_says_nothing_later(line: str, is_worth: bool) -> None:
    assert is_worth_keeping(message(line)) == is_worth


@pytest.mark.parametrize(
    ("wrapped", "is_worth"),
    [
        ("Content-Type: text/plain\r\n\r\nhello", True),
        ("Content-type: Application/IM-isComposing+XML\r\nContent-Length: 4\r\n\r\n<a/>", False),
        ("hello", True),
        ("", True),
    ],
)
def test_what_is_in_an_envelope_counts(wrapped: str, is_worth: bool) -> None:
    body = f"From: <sip:a@b>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\r\n{wrapped}"
    assert is_worth_keeping(message("Content-Type: Message/CPIM", body=body)) == is_worth


def test_what_tells_it_from_others() -> None:
    found = message()
    assert key_of(found, "lenka") == key_of(message("X: again"), "lenka") != key_of(found, "lukas")


def test_odd_names_are_written_so_that_they_can_be_read() -> None:
    assert keep(message(), "a b@c").raw.startswith(b"MESSAGE sip:a%20b%40c@here.invalid SIP/2.0\r\n")
    with pytest.raises(ParseError):
        keep(message(), "\udcff")
