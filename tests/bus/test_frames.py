"""None"""

from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from flows import packed, udp
from hypothesis import given
from hypothesis import strategies as st

from switchboard import codec
from switchboard.bus.frames import (
    RECEIVED,
    REGISTERED,
    SENT,
    VERSION,
    FrameError,
    Shape,
    flow_of,
    has_shape,
    head,
    message_in,
    pack,
    pack_received,
    pack_sent,
    unpack,
)

TEXT = st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXT
BODIES = st.recursive(
    LEAVES | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(TEXT, BODIES)
def test_what_is_packed_comes_back(subject: str, body: Any) -> None:
    assert unpack(pack(subject, body)) == (subject, body)


def test_a_frame_is_the_documented_array() -> None:
    assert msgpack.unpackb(pack("sip.send", [b"raw"])) == [2, "sip.send", [b"raw"]]


@given(TEXT, BODIES)
def test_a_frame_begins_with_its_head(subject: str, body: Any) -> None:
    assert pack(subject, body) == head(subject) + codec.pack(body)


def test_tuples_arrive_as_lists() -> None:
    assert unpack(pack("x", [("a", 1)])) == ("x", [["a", 1]])


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\xc1" * 40,
        b"\x93\x02\xa1",
        b"\x91" * 5000,
        msgpack.packb(None),
        msgpack.packb([]),
        msgpack.packb([VERSION, "x"]),
        msgpack.packb([VERSION + 1, "x", None]),
        msgpack.packb([VERSION, b"x", None]),
        msgpack.packb([VERSION, "x", None, None]),
        msgpack.packb({"version": VERSION}),
        msgpack.packb([VERSION, "x", {(1, 2): 3}]),
        b"\x93\x02\xa1x\xc7\x03\xff\x00\x00\x00",  # a timestamp of 3 bytes
        msgpack.packb([VERSION, "x", None]) + b"\x00",
    ],
)
def test_what_is_no_frame_of_ours_is_an_error(frame: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(frame)


@given(st.binary() | st.binary().map(lambda tail: b"\x93\x02\xa1x" + tail))
def test_any_bytes_are_a_frame_or_an_error(frame: bytes) -> None:
    try:
        subject, _ = unpack(frame)
    except FrameError:
        return
    assert isinstance(subject, str)


FLOW = udp("192.0.2.9", 5060, "192.0.2.1")
PACKED = FLOW.pack()


@pytest.mark.parametrize(
    ("item", "has"),
    [
        ([PACKED, b"index", b"raw"], True),
        ([PACKED, b"index"], False),
        ([PACKED, "index", b"raw"], False),
        ([PACKED, b"index", b"raw", b""], False),
        ((PACKED, b"index", b"raw"), False),
        (1.5, False),
        (None, False),
    ],
)
def test_shape_of_an_item(item: object, has: bool) -> None:
    assert has_shape(item, RECEIVED) is has


@pytest.mark.parametrize(
    ("subject", "item"),
    [
        ("sip.received", codec.unpack(pack_received(PACKED, b"index", b"raw"))),
        ("sip.send", codec.unpack(pack_sent(PACKED, b"raw"))),
        ("sip.translate", [PACKED, b"raw", "lukas", "sk"]),
        ("sip.translate", [PACKED, b"raw"]),
    ],
)
def test_the_message_of_an_item(subject: str, item: Any) -> None:
    assert message_in(subject, item) == (FLOW, b"raw")


@pytest.mark.parametrize(
    ("subject", "item"),
    [
        ("sip.received", 12.5),
        ("sip.received", [PACKED, b"raw"]),
        ("sip.send", [PACKED, b"raw", "lukas", "sk"]),
        ("sip.send", [b"no flow", b"raw"]),
        ("source.registered", [PACKED]),
    ],
)
def test_other_items_hold_none(subject: str, item: Any) -> None:
    assert message_in(subject, item) is None


@pytest.mark.parametrize(("item", "shape"), [([PACKED], REGISTERED), ([PACKED, b"raw"], SENT)])
def test_the_flow_of_an_item(item: list[object], shape: Shape) -> None:
    assert flow_of(item, shape) == FLOW
    assert flow_of([*item, None], shape) is None
    assert flow_of([packed("", 0)[:3], *item[1:]], shape) is None
