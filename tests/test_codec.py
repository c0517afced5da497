"""Plain values there and back."""

from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import NamedTuple

import msgpack  # type: ignore[import-untyped]
import pytest
from compiled import needs_compiled_core
from hypothesis import given
from hypothesis import strategies as st

from switchboard.codec import CodecError, list_at, list_head, pack, pack_in_python, unpack, unpack_first


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


class Number(IntEnum):
    ONE = 1


class Pair(NamedTuple):
    one: object
    other: object


_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.sampled_from(
        [Number.ONE, "caf\udce9", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "ž" * 40_000, bytes(70_000)]
    ),
)
_NESTED = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20),
        st.lists(inner, max_size=20).map(tuple),
        st.builds(Pair, inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(0, 1000)), inner, max_size=20),
    ),
    max_leaves=30,
)


def _outcome(pack: Callable[[object], bytes], value: object) -> object:
    try:
        return pack(value)
    except Exception as error:
        return type(error), str(error)


@needs_compiled_core
@given(_NESTED)
def test_the_twins_pack_alike(value: object) -> None:
    assert pack(value) == pack_in_python(value)


@needs_compiled_core
@pytest.mark.parametrize("bits", range(0, 64, 1))
def test_the_twins_pack_integers_alike(bits: int) -> None:
    around = [sign * (1 << bits) + more for sign in (1, -1) for more in (-1, 0, 1)]
    values = [number for number in around if number >= -(2**63)]
    assert pack(values) == pack_in_python(values)


_DEEP: list[object] = []
for _ in range(100):
    _DEEP = [_DEEP]
_ENDLESS: list[object] = []
_ENDLESS.append(_ENDLESS)


@needs_compiled_core
@pytest.mark.parametrize(
    "value",
    [
        object(), 2**64, -(2**63) - 1, "\ud800", [1, {2}], {"a": object()}, bytearray(b"x"), memoryview(b"x"),
        msgpack.ExtType(1, b"x"), [msgpack.ExtType(1, b"x")], _DEEP, _ENDLESS, [0] * 65_536, ["x" * 65_536],
        dict.fromkeys(range(65_536)),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_twins_agree_on_what_is_not_plain(value: object) -> None:
    assert _outcome(pack, value) == _outcome(pack_in_python, value)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 65_535, 65_536])
def test_the_length_of_a_list_is_read_without_its_items(length: int) -> None:
    assert list_at(b"x" + pack([None] * length)[:5], 1) == length


@pytest.mark.parametrize("octets", [b"", pack("text"), pack(None), pack([0] * 16)[:2], b"\xdd\0\0\0"])
def test_what_is_no_list_has_no_length(octets: bytes) -> None:
    with pytest.raises(CodecError):
        list_at(octets, 0)


@pytest.mark.parametrize("value", [0, 2**40, "name", None])
def test_the_first_value_is_read_and_where_it_ends(value: object) -> None:
    packed = pack(value)
    assert unpack_first(b"x" + packed + b"more", 1) == (value, 1 + len(packed))


def test_a_first_value_that_is_cut_off_is_refused() -> None:
    with pytest.raises(CodecError):
        unpack_first(pack("name")[:3], 0)
