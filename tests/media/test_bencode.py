from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.media.bencode import DEEPEST, BencodeError, decode, encode

plain = st.recursive(
    st.integers(-(10**15), 10**15) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def as_read(value: object) -> object:
    if isinstance(value, dict):
        return {key.encode(): as_read(each) for key, each in value.items()}
    return list(map(as_read, value)) if isinstance(value, list) else value


@given(plain)
def test_what_is_written_is_read(value: object) -> None:
    assert decode(encode(value)) == as_read(value)  # type: ignore[arg-type]


def test_a_command_as_it_leaves() -> None:
    assert encode({"sdp": "v=0", "command": "offer", "replace": ["origin"], "n": 7}) == (
        b"d7:command5:offer1:ni7e7:replacel6:origine3:sdp3:v=0e"
    )


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"x",
        b"i12",
        b"ie",
        b"i1x2e",
        b"5:abc",
        b"-1:a",
        b"l",
        b"d",
        b"d1:a",
        b"di1ei2ee",
        b"d1:ai1e-6:i1ee",  # its value would be the one before, for ever
        b"i1ei2e",
        b"9" * 40,
    ]
    + [b"l" * (DEEPEST + 2) + b"e" * (DEEPEST + 2)],
)
def test_what_is_none_is_an_error(octets: bytes) -> None:
    with pytest.raises(BencodeError):
        decode(octets)


@given(st.binary(max_size=60))
def test_any_octets_are_a_value_or_an_error(octets: bytes) -> None:
    with suppress(BencodeError):
        decode(octets)
