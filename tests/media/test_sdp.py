import pytest

from switchboard.media.sdp import Sdp, keep_back, put_back, sdp_of
from switchboard.sip.message import parse_message

SESSION = b"v=0\r\no=- 1 1 IN IP4 192.168.1.9\r\ns=-\r\nc=IN IP4 192.168.1.9\r\nt=0 0\r\n"
AUDIO = b"m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
VIDEO = b"m=video 5006 RTP/AVP 96\r\nc=IN IP4 192.168.1.8\r\n"
SLIDES = b"m=application 9 TCP/BFCP *\r\na=floorctrl:c-s\r\n"
FAX = b"m=image 9000 TCPTL t38\r\ni=fax\r\nc=IN IP4 192.168.1.7\r\n"
WEB = b"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:a\r\na=fingerprint:sha-256 00\r\n"


def message(body: bytes, *headers: bytes) -> bytes:
    lines = [b"INVITE sip:lenka@example.com SIP/2.0", b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1", *headers]
    lines += [b"From: <sip:a@b>;tag=1", b"To: <sip:c@d>", b"Call-ID: x", b"CSeq: 1 INVITE"]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("headers", "is_sdp"),
    [
        ([b"Content-Type: application/sdp"], True),
        ([b"c: Application/SDP;charset=utf-8"], True),
        ([b"Content-Type: multipart/mixed;boundary=x"], False),
        ([b"Content-Type: application/sdp", b"Content-Encoding: gzip"], False),
        ([], False),
    ],
)
def test_sdp_is_what_says_so(headers: list[bytes], is_sdp: bool) -> None:
    assert sdp_of(parse_message(message(SESSION, *headers))) == (SESSION if is_sdp else b"")


def test_no_body_is_no_sdp() -> None:
    assert sdp_of(parse_message(message(b"", b"Content-Type: application/sdp"))) == b""


def test_where_media_is_awaited() -> None:
    assert Sdp.parse(SESSION + AUDIO + VIDEO).hosts == ["192.168.1.9", "192.168.1.8"]
    several = b"c=IN IP6 2001:db8::1\nc=IN IP4 224.2.1.1/127\nc=\nc=IN IP4"
    assert Sdp.parse(several).hosts == ["2001:db8::1", "224.2.1.1"]


@pytest.mark.parametrize(
    ("body", "is_web"),
    [
        (SESSION + WEB, True),
        (SESSION + AUDIO, False),
        (b"", False),
        (SESSION + AUDIO + b"a=ice-ufrag:a\r\n", False),
    ],
)
def test_what_browsers_write(body: bytes, is_web: bool) -> None:
    assert Sdp.parse(body).is_web is is_web


def test_what_is_not_over_tcp_is_not_touched() -> None:
    assert keep_back(SESSION + AUDIO + VIDEO) == (SESSION + AUDIO + VIDEO, [])


@pytest.mark.parametrize(
    "streams", [[SLIDES, AUDIO], [AUDIO, SLIDES], [AUDIO, SLIDES, VIDEO, FAX], [FAX, SLIDES, AUDIO]]
)
def test_streams_over_tcp_are_kept_and_put_back_in_their_place(streams: list[bytes]) -> None:
    seen, kept = keep_back(SESSION + b"".join(streams))
    assert b"TCP" not in seen
    assert seen.count(b"m=") + len(kept) == len(streams)
    changed = seen.replace(b"192.168.1.9", b"203.0.113.1")
    whole = Sdp.parse(put_back(changed, kept))
    assert [lines[0] for lines in whole.streams] == [each.split(b"\r\n")[0] for each in streams]
    for lines in whole.streams:
        if b"TCP/BFCP" in lines[0]:
            assert b"c=IN IP4 192.168.1.9" in lines  # its own, no longer that of the session
        if b"TCPTL" in lines[0]:
            assert lines.count(b"c=IN IP4 192.168.1.7") == 1


def test_where_all_is_over_tcp_no_engine_sees_anything() -> None:
    seen, kept = keep_back(SESSION + SLIDES)
    assert seen == b""
    assert len(kept) == 1


def test_what_an_engine_should_not_have_written_does_not_leave() -> None:
    written = SESSION + AUDIO + b"a=rtpmap:101 /0\r\na=end-of-candidates\r\n"
    assert put_back(written, []) == SESSION + AUDIO
    with_ice = AUDIO + b"a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
    assert put_back(SESSION + with_ice, []) == SESSION + with_ice


def test_what_is_no_sdp_stays_as_it_is() -> None:
    assert put_back(b"hello\r\n", []) == b"hello\r\n"
    assert keep_back(b"hello\r\n") == (b"", [])


def test_a_stream_gets_one_address_however_many_the_session_has() -> None:
    session = b"v=0\r\n" + b"c=IN IP4 192.168.1.7\r\n" * 1000
    _, kept = keep_back(session + AUDIO + b"m=application 9 TCP/BFCP *\r\n" * 1000)
    assert sum(len(each.lines) for each in kept) == 2000
