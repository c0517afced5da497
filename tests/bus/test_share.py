"""Items of a frame that are in a share of the calls; both twins."""

from collections.abc import Callable
from zlib import crc32

import pytest
from flows import packed
from hypothesis import given
from hypothesis import strategies as st

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.share import call_id_on_wire, pick, pick_in_python

Pick = Callable[[bytes, int], bytes]
PICKS = pytest.mark.parametrize("picks", [pick, pick_in_python])


def message(call_id: str) -> bytes:
    return f"INVITE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: {call_id}\r\n\r\nbody".encode()


def is_in_half(call_id: str) -> bool:
    return not crc32(call_id.encode()) >> 16 & 1


NAMES = [f"call-{number}@host" for number in range(40)]


@PICKS
def test_half_of_the_calls_as_a_whole(picks: Pick) -> None:
    items = [[packed("10.0.0.2", 5060), message(name)] for name in NAMES]
    picked = picks(frames.pack("sip.send", items), 1)
    expected = [item for name, item in zip(NAMES, items, strict=True) if is_in_half(name)]
    assert 10 < len(expected) < 30
    assert frames.unpack(picked) == ("sip.send", expected)


@PICKS
def test_what_came_in_without_the_instants_between(picks: Pick) -> None:
    name = next(filter(is_in_half, NAMES))
    item = [packed("10.0.0.2", 70, "10.0.0.1"), b"\1\2", message(name)]
    assert frames.unpack(picks(frames.pack("sip.received", [item, 12.5]), 1)) == ("sip.received", [item])


@PICKS
def test_nothing_is_left_of_other_calls(picks: Pick) -> None:
    other = next(name for name in NAMES if not is_in_half(name))
    item = [packed("10.0.0.2", 5060), message(other), "lukas", "sk"]
    assert picks(frames.pack("sip.translate", [item, [packed("h", 1), b"no message"]]), 1) == b""


@PICKS
def test_the_whole_is_the_frame_itself(picks: Pick) -> None:
    frame = frames.pack("sip.send", [[packed("h", 1), b"no message"]])
    assert picks(frame, 0) is frame


@PICKS
@pytest.mark.parametrize("frame", [b"", b"\xc1", codec.pack([1, "sip.send", []])])
def test_what_is_no_frame_is_refused(picks: Pick, frame: bytes) -> None:
    with pytest.raises(frames.FrameError):
        picks(frame, 1)


LINES = st.sampled_from(
    [
        b"Call-ID",
        b"call-id",
        b"CALL\rID",
        b"i",
        b"I",
        b"In",
        b":",
        b" ",
        b"\t",
        b"\n",
        b"\r\n",
        b"a@b",
        b"\x0b",
        b"",
    ]
)
MESSAGES = st.lists(LINES | st.binary(max_size=3), max_size=12).map(b"".join)
ITEMS = st.one_of(
    st.floats(allow_nan=False),
    st.tuples(st.binary(max_size=300), MESSAGES),
    st.tuples(st.binary(max_size=9), st.binary(max_size=9), MESSAGES),
    st.tuples(st.binary(max_size=9), MESSAGES, st.text(max_size=40), st.text(max_size=3)),
    st.lists(st.none() | MESSAGES | st.text(max_size=3) | st.integers(-1, 70_000), max_size=4),
)


@given(st.lists(ITEMS, max_size=20), st.integers(0, 3))
def test_the_twins_agree(items: list[object], halvings: int) -> None:
    frame = frames.pack("sip.received", items)
    assert pick(frame, halvings) == pick_in_python(frame, halvings)


@pytest.mark.parametrize("line", [b"Call-ID: a@b", b"i:a@b \t", b"CALL-id \t:\ta@b"])
def test_how_a_call_id_is_written(line: bytes) -> None:
    assert call_id_on_wire(b"BYE sip:a SIP/2.0\r\nVia: x\r\n" + line + b"\r\n\r\n") == b"a@b"
