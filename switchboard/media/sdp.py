"""What a switchboard has to know of SDP (RFC 8866) to have it changed by a media engine.

Theory. rtpengine gives every stream a UDP port, also one over TCP (BFCP, T.38). So streams over TCP are kept from it,
and put back at their index, which is what an answer refers to (RFC 3264 §6). Offer and answer name the same transport
in the same place, so that no memory is needed between them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from switchboard.sip.message import Message

Lines = list[bytes]

CONTENT_TYPE: Final = "application/sdp"
_BAD_RTPMAP: Final = re.compile(rb"a=rtpmap:[0-9]+ +/")
"""What rtpengine makes of a payload type that it was not told of."""


class Sdp(NamedTuple):
    """A session description: the lines of the session, and those of each stream, which begins by `m=`."""

    session: Lines
    streams: list[Lines]

    @classmethod
    def parse(cls, body: bytes) -> "Sdp":
        """Take a body apart (untrusted); what is no line of SDP stays as it is."""
        session: Lines = []
        streams: list[Lines] = []
        for line in filter(None, body.replace(b"\r\n", b"\n").split(b"\n")):
            if line.startswith(b"m="):
                streams.append([])
            (streams[-1] if streams else session).append(line)
        return cls(session, streams)

    def __bytes__(self) -> bytes:
        return b"".join(line + b"\r\n" for line in self._lines())

    def _lines(self) -> Iterator[bytes]:
        yield from self.session
        for stream in self.streams:
            yield from stream

    @property
    def hosts(self) -> list[str]:
        """The addresses at which media is awaited, as `c=` names them."""
        values = (line.split() for line in self._lines() if line.startswith(b"c=IN "))
        return [words[2].partition(b"/")[0].decode("ascii", "replace") for words in values if len(words) == 3]

    @property
    def is_web(self) -> bool:
        """Whether a browser wrote it: DTLS-SRTP, and ICE."""
        lines = list(self._lines())
        has_keys = any(line.startswith(b"a=fingerprint:") for line in lines)
        has_ice = any(line.startswith(b"a=ice-ufrag:") for line in lines)
        return has_keys and has_ice and any(b"/SAVP" in line for line in lines if line.startswith(b"m="))


class Kept(NamedTuple):
    """A stream that an engine does not see, and its place among all."""

    place: int
    lines: Lines


def sdp_of(message: Message) -> bytes:
    """Return the SDP that is the body of a message; b"" if its body is another one, or there is none."""
    body = message.body
    if not body or (message.get("content-encoding") or "identity").lower() != "identity":
        return b""
    kind = (message.get("content-type") or "").partition(";")[0].strip().lower()
    return body if kind == CONTENT_TYPE else b""


def keep_back(body: bytes) -> tuple[bytes, list[Kept]]:
    """Return what an engine is to see of a body, b"" if that is no stream at all, and what it is not to see."""
    sdp = Sdp.parse(body)
    address = [line for line in sdp.session if line.startswith(b"c=")][:1]
    kept = [Kept(i, _on_its_own(stream, address)) for i, stream in enumerate(sdp.streams) if _is_tcp(stream)]
    if len(kept) == len(sdp.streams):
        return b"", kept
    if not kept:
        return body, kept
    return bytes(Sdp(sdp.session, [stream for stream in sdp.streams if not _is_tcp(stream)])), kept


def put_back(body: bytes, kept: Sequence[Kept]) -> bytes:
    """Return what an engine wrote as it leaves: with what it has not seen, without what it should not have written."""
    sdp = Sdp.parse(body)
    has_ice = any(line.startswith(b"a=candidate:") for line in sdp._lines())
    session = _cleaned(sdp.session, has_ice)
    streams = [_cleaned(stream, has_ice) for stream in sdp.streams]
    for index, lines in kept:
        streams.insert(index, lines)
    return bytes(Sdp(session, streams))


def _is_tcp(stream: Lines) -> bool:
    words = stream[0].split()
    return len(words) > 2 and words[2].upper().startswith(b"TCP")


def _on_its_own(stream: Lines, address: Lines) -> Lines:
    """The stream with its address, which may be that of the session only, where an engine puts its own."""
    if any(line.startswith(b"c=") for line in stream):
        return stream
    after = 2 if len(stream) > 1 and stream[1].startswith(b"i=") else 1
    return stream[:after] + address + stream[after:]


def _cleaned(lines: Lines, has_ice: bool) -> Lines:
    return [
        line for line in lines if not _BAD_RTPMAP.match(line) and (has_ice or line != b"a=end-of-candidates")
    ]
