"""Plain values there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.codec import CodecError, pack, unpack


@pytest.mark.parametrize(
    "value", [None, 1, 1.5, "Žilina", "caf\udce9", b"\xff\x00", [1, ["a"]], {"a": [b"b"]}]
)
def test_there_and_back(value: object) -> None:
    assert unpack(pack(value)) == value


@given(st.binary(max_size=60))
def test_nothing_but_codec_errors(data: bytes) -> None:
    try:
        unpack(data)
    except CodecError as error:
        assert str(error).startswith("not msgpack: ")
