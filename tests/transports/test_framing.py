"""SIP messages in a stream of octets: where they end, what stands between them, and what ends the connection."""

import pytest
from compiled import needs_compiled_core
from hypothesis import example, given
from hypothesis import strategies as st
from sip.messages import requests, spoilt
from transports.streams import LIMIT, Outcome, all_cuts, check, outcome

from switchboard.transports.channel import ChannelError
from switchboard.transports.framing import StreamFraming

HEAD = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n"
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
FULL = HEAD + b"l : 11\r\nSubject: hello\r\n\r\n\r\n\r\nv=0\r\n\r\n"


def framing(_is_new: bool = True) -> StreamFraming:
    return StreamFraming(LIMIT)


def found(octets: bytes) -> Outcome:
    return outcome(framing(), [octets])


@pytest.mark.parametrize("body", [b"", b"v=0\r\n\r\n"])
@pytest.mark.parametrize(
    "lines", [b"", b"l: 99\r\n", b"l: 1\r\nl: 2\r\n", b"Content-Length:\r\n x\r\n", b"l: -1\r\n"]
)
def test_what_came_as_a_datagram_gets_the_length_that_it_has(lines: bytes, body: bytes) -> None:
    sent = framing().wrap(HEAD + lines + b"\r\n" + body)
    assert sent == HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert found(sent + EMPTY).messages == [sent, EMPTY]


def test_octets_behind_the_body_stay_behind() -> None:
    assert framing().wrap(HEAD + b"l: 3\r\n\r\nv=0 and more") == HEAD + b"l: 3\r\n\r\nv=0"


@pytest.mark.parametrize("octets", [b"\r\n", b"\r\n\r\n", FULL, EMPTY])
def test_what_needs_nothing_is_left_alone(octets: bytes) -> None:
    assert framing().wrap(octets) == octets


@given(requests())
def test_whatever_is_sent_ends_where_the_next_one_begins(message: bytes) -> None:
    sent = framing().wrap(message)
    assert found(sent + EMPTY).messages == [sent, EMPTY]
    assert framing().wrap(sent) == sent


@pytest.mark.parametrize("name", [b"Content-Length", b"content-LENGTH", b"l", b"L", b"l \t"])
@pytest.mark.parametrize("value", [b"4", b" 4 ", b"\r\n 4", b"\r\n\t\r\n 4\t", b"0004"])
def test_content_length_ends_a_message(name: bytes, value: bytes) -> None:
    message = HEAD + name + b":" + value + b"\r\n\r\nbody"
    assert found(message + EMPTY) == ([message, EMPTY], b"", "", b"")


def test_the_same_length_twice_is_one_length() -> None:
    message = HEAD + b"l: 4\r\nContent-Length: 4\r\n\r\nbody"
    assert found(message + EMPTY).messages == [message, EMPTY]


@pytest.mark.parametrize(
    ("lines", "reason", "status"),
    [
        (b"", "Missing Content-Length Header Field", 400),
        (b"\tContent-Length: 0\r\n", "Missing Content-Length Header Field", 400),
        (b"Content-Length: 4\r\nl: 5\r\n", "More Than One Content-Length Header Field", 400),
        (b"Content-Length: 4, 4\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: -1\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: +1\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: \r\n", "Malformed Content-Length", 400),
        (b"Content-Length: 0x10\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: 1_0\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: \xd9\xa1\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: 12345678901\r\n", "Malformed Content-Length", 400),
        (b"Content-Length: 4000000000\r\n", "Message Too Large", 513),
        (b"Content-Length: %d\r\n" % LIMIT, "Message Too Large", 513),
    ],
)
def test_a_length_that_is_none_ends_the_connection(lines: bytes, reason: str, status: int) -> None:
    channel = framing()
    with pytest.raises(ChannelError, match=reason) as raised:
        channel.feed(EMPTY + HEAD + lines + b"\r\n" + EMPTY)
    assert raised.value.messages == [EMPTY]
    kept = lines if lines.startswith(b"\t") else b""
    assert (raised.value.refused, raised.value.status) == (HEAD + kept + b"\r\n", status)
    with pytest.raises(ChannelError, match=reason):
        channel.feed(EMPTY)
    assert channel.pending == b""


def test_a_head_has_a_largest_size() -> None:
    channel = framing()
    start = HEAD.ljust(LIMIT, b"x")
    assert channel.feed(start) == []
    with pytest.raises(ChannelError, match="Message Too Large") as raised:
        channel.feed(b"x")
    assert (raised.value.status, len(raised.value.refused)) == (513, LIMIT + 4)


@pytest.mark.parametrize("size", [0, 1])
def test_a_message_may_have_the_largest_size(size: int) -> None:
    body = b"x" * (LIMIT + size - len(HEAD) - len(b"l: 1000\r\n\r\n"))
    message = HEAD + b"l: %d\r\n\r\n" % len(body) + body
    assert bool(found(message).reason) == bool(size)


@pytest.mark.parametrize(
    "octets", [b"\x16\x03\x01\x02\x00\x01", b"\0\1\0\0!\x12\xa4B", b"{", b"\xff", b": a\r\n\r\n"]
)
def test_other_protocols_are_told_by_their_first_octet(octets: bytes) -> None:
    assert found(EMPTY + octets) == ([EMPTY], b"", "Octets That Are No SIP Message", b"")


@pytest.mark.parametrize(
    ("blank", "pongs"),
    [
        (b"\r\n", 0),
        (b"\r\n\r\n", 1),
        (b"\r\n\r\n\r\n", 1),
        (b"\r\n" * 4, 2),
        (b"\r\n\0\0\0\0\r\n", 0),
        (b"\r\r\n\r\n", 1),
        (b"\r", 0),
        (b"\n\n\r\n\r", 0),
        (b"\0\0\0\0", 0),
    ],
)
def test_a_double_crlf_is_a_ping(blank: bytes, pongs: int) -> None:
    assert found(blank) == ([], b"\r\n" * pongs, "", b"")
    assert found(blank + FULL + blank + EMPTY) == ([FULL, EMPTY], b"\r\n" * 2 * pongs, "", b"")


def test_a_message_that_has_begun_is_owed() -> None:
    channel = framing()
    owed = []
    for octet in range(len(FULL)):
        channel.feed(FULL[octet : octet + 1])
        owed.append(channel.is_midway)
    assert owed == [True] * (len(FULL) - 1) + [False]
    channel.feed(b"\r\n\r")
    assert (channel.is_midway, channel.pending) == (False, b"\r\n\r")


def test_a_flood_of_empty_lines_is_not_kept() -> None:
    channel = framing()
    for _ in range(100):
        channel.feed(b"\r\n\n\0 " * 1000)
    assert (len(channel.pending) <= 3, channel.take_output()) == (True, b"")


def test_a_message_leaves_as_it_is() -> None:
    assert (framing().wrap(FULL), framing().farewell("Restart.")) == (FULL, b"")


def messages() -> st.SearchStrategy[bytes]:
    """Messages, spoilt ones, and what stands between them."""
    lengths = st.sampled_from([b"Content-Length: %d\r\n" % size for size in (0, 4, 40, 4000)])
    bodies = st.sampled_from([b"", b"body", b"\r\n\r\n"])
    framed = st.builds(lambda line, body: HEAD + line + b"\r\n" + body, lengths, bodies)
    blank = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b" "]), max_size=8).map(b"".join)
    return st.one_of(
        framed, framed, st.just(FULL), blank, blank, requests(), spoilt(), st.binary(max_size=40)
    )


@given(st.lists(messages(), max_size=8).map(b"".join), all_cuts())
def test_pieces_yield_what_the_whole_yields(octets: bytes, cuts: list[int]) -> None:
    check(framing, octets, cuts)


@given(st.lists(st.sampled_from([FULL, EMPTY]), max_size=6), all_cuts())
def test_well_formed_messages_arrive(sent: list[bytes], cuts: list[int]) -> None:
    assert found(b"\r\n".join(sent)).messages == sent
    check(framing, b"".join(sent), cuts)


PLAIN = (
    EMPTY,
    FULL,
    HEAD + b"CONTENT-length\t:\t7 \r\nA: b\r\n\r\n1234567",
    HEAD + b"l:0\r\nA\rl: 5\n\r\n\r\n",
)
ODD = (
    HEAD + b"l: 1\r\n 2\r\n\r\n" + bytes(12),
    HEAD + b"l: 3\r\nContent-Length: 3\r\n\r\nabc",
    HEAD + b"l: 3\nA: b\r\n\r\nabc",
    HEAD + b"l: 00000003\r\n\r\nabc",
    HEAD + b"l: 3\r\n\r\nab",
    HEAD + b"\r\n",
    HEAD,
    b"\r\n" + EMPTY,
    b"*" + EMPTY,
    b"",
)


@needs_compiled_core
def test_compiled_framing_takes_what_is_plain() -> None:
    from switchboard._native.wire import plain_size

    assert [plain_size(each + b"more") for each in PLAIN] == [len(each) for each in PLAIN]
    assert [plain_size(each) for each in ODD] == [0] * len(ODD)


@needs_compiled_core
@given(st.one_of(requests(), spoilt(), spoilt().map(framing().wrap)), st.binary(max_size=8))
@example(HEAD + b"l: 3\r\n\t\r\n\r\nabc", b"")
@example(HEAD + b"ll: 3\r\n\r\nabc", b"")
@example(HEAD + b"l: 3\r\nContent-Length: 4\r\n\r\nabc", b"d")
@example(HEAD + b"l: 3\x0b\r\n\r\nabc", b"")
def test_compiled_framing_agrees_where_it_decides(octets: bytes, tail: bytes) -> None:
    from switchboard._native.wire import plain_size

    size = plain_size(octets + tail)
    if size:
        message = (octets + tail)[:size]
        channel = StreamFraming()
        assert (channel.feed(message), channel.pending, channel.take_output()) == ([message], b"", b"")
        assert channel.wrap(message) == message
