"""Strategies that draw SIP messages: well-formed ones in all shapes, and ones that are spoilt."""

import string
from collections.abc import Iterator
from pathlib import Path
from random import Random
from unittest.mock import patch

from hypothesis import strategies as st

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import NUMBER_BY_WIRE_NAME
from switchboard.sip.message import Message

TORTURE = [path.read_bytes() for path in sorted(Path(__file__).parents[1].glob("torture/*.dat"))]

_FOLDS = (b"", b" ", b"\t ", b"\r\n ", b" \r\n\t")
_MANDATORY = (
    (b"Via", b"v", b"SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKa1;rport"),
    (b"From", b"f", b"<sip:lukas@10.0.0.1>;tag=from-1"),
    (b"To", b"t", b"<sip:lenka@10.0.0.1>"),
    (b"Call-ID", b"i", b"call-1"),
    (b"CSeq", b"CSEQ", b"1 INFO"),
    (b"Max-Forwards", b"mAX-fORWARDS", b"70"),
)
_OTHER_VIAS = b"Via: SIP/2.0/TCP other.example, SIP/2.0/UDP 192.0.2.1;branch=x\r\n"
_PIECES = (
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b",",
    b";",
    b'"',
    b"<",
    b">",
    b":",
    b"\xff",
    b"Via: ",
    b"SIP/2.0",
)

_unknown_fields = st.tuples(
    st.text(string.ascii_letters + "-.!%*_+`'~", min_size=1, max_size=12).map(str.encode),
    st.binary(max_size=24).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
).filter(lambda field: field[0].lower() not in NUMBER_BY_WIRE_NAME)


def _shaped(name: bytes, value: bytes, shape: Random) -> bytes:
    return name + b":" + shape.choice(_FOLDS) + value + shape.choice(_FOLDS) + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A well-formed INFO: known fields in any order and shape, unknown ones between them, and a body."""
    shape = Random(draw(st.integers(0, 2**32)))
    fields = [(shape.choice(names), value) for *names, value in _MANDATORY]
    fields += draw(st.lists(_unknown_fields, max_size=3))
    body = draw(st.binary(max_size=32))
    if shape.random() < 0.5:
        fields.append((b"l", b"%d" % len(body)))
    lines = [_shaped(*field, shape) for field in fields]
    if shape.random() < 0.5:
        lines.append(_OTHER_VIAS)
    shape.shuffle(lines)
    return b"INFO sip:lenka@10.0.0.1 SIP/2.0\r\n" + b"".join(lines) + b"\r\n" + body


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A request or a torture message with some of its octets replaced, removed or doubled."""
    raw = draw(st.one_of(requests(), st.sampled_from(TORTURE)))
    for start in draw(st.lists(st.integers(0, len(raw)), min_size=1, max_size=4)):
        end = start + draw(st.integers(0, 8))
        piece = draw(st.sampled_from((*_PIECES, raw[start:end] * 2)))
        raw = raw[:start] + piece + raw[end:]
    return raw


def anything() -> st.SearchStrategy[bytes]:
    """Whatever a datagram may hold."""
    return st.one_of(spoilt(), requests(), st.binary(max_size=200))


def mutations(raw: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield `count` spoilt copies: octets flipped, ranges doubled, moved or taken out, the end cut off."""
    shape = Random(seed)
    for _ in range(count):
        spoilt = bytearray(raw)
        for _ in range(shape.randint(1, 3)):
            start = shape.randrange(len(spoilt) + 1)
            end = min(len(spoilt), start + shape.choice((1, 1, 2, 8, 60)))
            spoilt[start:end] = _mutated(bytes(spoilt[start:end]), spoilt, shape)
        yield bytes(spoilt[: shape.choice((len(spoilt), len(spoilt), shape.randrange(len(spoilt) + 1)))])


def _mutated(piece: bytes, whole: bytearray, shape: Random) -> bytes:
    at = shape.randrange(len(whole) + 1)
    return shape.choice(
        (
            b"",
            piece * 2,
            shape.choice(_PIECES),
            bytes(octet ^ 1 << shape.randrange(8) for octet in piece),
            bytes(whole[at : at + 20]),
        )
    )


KNOWN = (
    "numbers", "method", "uri", "call_id", "cseq", "from_uri", "from_tag", "to_uri", "to_tag", "top_via_span",
    "via",
)  # fmt: skip
"""What the compiled core finds in a message at once."""


def known_otherwise(raw: bytes, index: bytes) -> list[str]:
    """What of that the Python twin sees otherwise."""
    known = Message(raw, index)
    with patch("switchboard.sip.message.know", None):
        worked_out = Message(raw, index)
        return [name for name in KNOWN if _asked(known, name) != _asked(worked_out, name)]


def _asked(message: Message, name: str) -> object:
    try:
        return getattr(message, name)
    except (ParseError, ValueError) as error:
        return repr(error)
