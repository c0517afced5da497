"""What session descriptions offer."""

from hypothesis import given
from hypothesis import strategies as st

from switchboard.history.media import media_host_of, streams_of

BODY = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\nc=IN IP4 10.0.0.2/127\r\nm=audio 4000/2 RTP/AVP 0 18 96 101 13 97 110\r\n"
    b"a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 red/8000\r\n"
    b"m=video 0 RTP/AVP 34\r\nm=image 9 udptl t38\r\n"
)


def test_streams() -> None:
    audio, image = streams_of(BODY)
    assert (audio.kind, audio.codecs) == ("audio", ("PCMU", "G729", "opus", "payload type 110"))
    assert not audio.is_encrypted
    assert (image.kind, image.codecs) == ("image", ())
    assert streams_of(BODY.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF"))[0].is_encrypted
    assert media_host_of(BODY) == "10.0.0.2"


@given(st.binary(max_size=200))
def test_whatever_stands_there(body: bytes) -> None:
    assert isinstance(streams_of(body), list)
    assert isinstance(streams_of(BODY + b"m=" + body), list)
