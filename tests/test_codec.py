"""Plain values there and back."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.codec import CodecError, list_head, pack, unpack


@pytest.mark.parametrize(
    "value", [None, 1, 1.5, "Žilina", "caf\udce9", b"\xff\x00", [1, ["a"]], {"a": [b"b"]}]
)
def test_there_and_back(value: object) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("length", [0, 15, 16, 65535, 65536])
def test_a_list_is_its_head_and_its_items(length: int) -> None:
    assert list_head(length) + bytes(length) == pack([0] * length)


@given(st.binary(max_size=60))
def test_nothing_but_codec_errors(data: bytes) -> None:
    with suppress(CodecError):
        unpack(data)


def test_a_codec_error_says_what_is_wrong() -> None:
    with pytest.raises(CodecError, match="not msgpack: "):
        unpack(b"\x93\x01")


def test_lists_or_tuples() -> None:
    packed = pack([1, (2, [3])])
    assert (unpack(packed), unpack(packed, lists=False)) == ([1, [2, [3]]], (1, (2, (3,))))


def test_what_cannot_be_packed_leaves_nothing_behind() -> None:
    with pytest.raises(TypeError):
        pack(["begun", object()])
    assert unpack(pack(1)) == 1
