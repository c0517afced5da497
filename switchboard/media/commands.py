"""What is asked of a media engine, and what it answers (the NG protocol of rtpengine)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from switchboard.media.bencode import Plain, Value, decode
from switchboard.media.engine import Engine

GONE: Final = "Ran out of ports"
"""After this error rtpengine has deleted the call, also one that was up."""

MOST_PACKETS: Final = 2**53
"""More are not believed, and not counted."""

_LONGEST_WORDS: Final = 200

Command = Mapping[str, Value]


class Ask(NamedTuple):
    """A question to an engine, in order of preference. `token` is the asker's; None: nobody waits for the answer.

    `moves_on`: an engine that refuses, or that does not know the call, is no answer: the next one is asked.
    """

    token: int | None
    command: Command
    engines: Sequence[Engine]
    moves_on: bool = False


class Told(NamedTuple):
    """The answer: of which engine, the SDP of an offer or an answer, what was relayed; or what went wrong, in words.

    `engine` is None if no engine answered. `knew_nothing`: there was no such call to delete.
    `lost`: engines that were asked before, and have dropped what they had of the call (`GONE`).
    """

    engine: Engine | None
    sdp: bytes = b""
    error: str = ""
    figures: "Figures | None" = None
    knew_nothing: bool = False
    lost: tuple[Engine, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """Packets of media (RTP) that an engine got from each side of a call, by tag."""

    packets: Mapping[str, int]

    def of(self, tag: str) -> int:
        """What came from the side with this tag."""
        return self.packets.get(tag, 0)


def command_in(octets: bytes) -> dict[str, Value]:
    """Return the command that the router's engine has written, as the core writes one itself."""
    read = decode(octets)
    assert isinstance(read, dict)
    return {_text(key): value if key == b"sdp" else _plain(value) for key, value in read.items()}  # type: ignore[misc]


def _plain(value: Plain) -> Value:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return [_plain(each) for each in value] if isinstance(value, list) else value  # type: ignore[return-value]


def read_reply(reply: Plain, engine: Engine) -> Told:
    """What a reply (untrusted) says."""
    if not isinstance(reply, dict):
        return Told(engine, error="it answered no dictionary")
    result = reply.get(b"result")
    if result not in (b"ok", b"pong"):
        return Told(engine, error=_words(reply.get(b"error-reason")) or f"it answered {_words(result)!r}")
    sdp = reply.get(b"sdp", b"")
    known = sdp if isinstance(sdp, bytes) else b""
    return Told(engine, known, "", _figures(reply.get(b"tags")), b"warning" in reply)


def _text(value: Plain | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _words(value: Plain | None) -> str:
    """For people, and for the header of a SIP message."""
    return "".join(each if each.isprintable() else "?" for each in _text(value)[:_LONGEST_WORDS])


def _figures(tags: Plain | None) -> Figures | None:
    if not isinstance(tags, dict):
        return None
    return Figures({_text(tag): _received(side) for tag, side in tags.items()})


def _received(side: Plain) -> int:
    """The RTP packets of all streams of one side; RTCP is not counted."""
    count = 0
    for media in _list(side, b"medias"):
        for stream in _list(media, b"streams"):
            flags, stats = _list(stream, b"flags"), _dict(stream).get(b"stats", {})
            packets = _dict(stats).get(b"packets", 0)
            if b"RTP" in flags and isinstance(packets, int) and packets > 0:
                count = min(count + packets, MOST_PACKETS)
    return count


def _dict(value: Plain) -> dict[bytes, Plain]:
    return value if isinstance(value, dict) else {}


def _list(value: Plain, key: bytes) -> list[Plain]:
    found = _dict(value).get(key, [])
    return found if isinstance(found, list) else []
