"""What the router's engine reads of an engine's reply is what the client in Python reads of it."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.native import IS_COMPILED
from switchboard.media.bencode import BencodeError, Value, decode, encode
from switchboard.media.commands import read_reply
from switchboard.media.engine import Engine

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")

ENGINE = Engine("10.0.0.90", 2223)
TAGS = ("from-1", "to-1")
count = st.one_of(
    st.integers(0, 10**9), st.sampled_from([-3, 2**53 + 1, 2**63, 2**64 - 1, 10**19 - 1, 10**21])
)
odd: st.SearchStrategy[Value] = st.one_of(count, st.binary(max_size=5), st.just([]), st.just({}))
stats = st.one_of(odd, st.fixed_dictionaries({"packets": st.one_of(odd, count)}))
flags = st.one_of(odd, st.lists(st.sampled_from([b"RTP", b"RTCP", 3, ["RTP"]]), max_size=3))
stream = st.one_of(odd, st.fixed_dictionaries({}, optional={"flags": flags, "stats": stats, "port": count}))
media = st.one_of(
    odd, st.fixed_dictionaries({}, optional={"streams": st.one_of(odd, st.lists(stream, max_size=3))})
)
side = st.one_of(
    odd, st.fixed_dictionaries({}, optional={"medias": st.one_of(odd, st.lists(media, max_size=2))})
)
tags = st.one_of(odd, st.dictionaries(st.sampled_from([*TAGS, "other"]), side, max_size=3))
reply = st.fixed_dictionaries(
    {},
    optional={
        "result": st.sampled_from(["ok", "pong", "error", 1]),
        "sdp": st.one_of(odd, st.just(b"v=0\r\n")),
        "tags": tags,
        "warning": st.just("Call-ID not found"),
        "created": count,
    },
)


def assert_same(octets: bytes) -> None:
    from switchboard._native.engine import read_ng_reply

    read = read_ng_reply(octets, *TAGS)
    try:
        expected = read_reply(decode(octets), ENGINE)
    except BencodeError:
        assert read is None
        return
    if read is None:
        return  # the reference reads it
    is_ok, sdp, knew_nothing, packets = read
    if not is_ok:
        return
    assert not expected.error
    assert (sdp, knew_nothing) == (expected.sdp, expected.knew_nothing)
    figures = expected.figures
    assert packets == (None if figures is None else tuple(map(figures.of, TAGS)))


@given(reply)
def test_a_reply(value: Value) -> None:
    assert_same(encode(value))


@given(reply, st.integers())
def test_a_damaged_reply(value: Value, seed: int) -> None:
    drawn, octets = random.Random(seed), bytearray(encode(value))
    for _ in range(drawn.randint(1, 3)):
        octets[drawn.randrange(len(octets))] = drawn.choice(b"deil0123456789:-RTP")
    with suppress(IndexError):
        del octets[drawn.randrange(2 * len(octets)) :]
    assert_same(bytes(octets))


def test_the_figures_of_a_call() -> None:
    from switchboard._native.engine import read_ng_reply

    streams: list[Value] = [
        {"flags": ["RTP", "filled"], "stats": {"bytes": 1, "packets": 250}},
        {"flags": ["RTCP"], "stats": {"packets": 9}},
    ]
    told: Value = {"result": "ok", "tags": {"from-1": {"medias": [{"streams": streams}]}, "to-1": {}}}
    assert read_ng_reply(encode(told), *TAGS) == (True, b"", False, (250, 0))


@given(st.binary(max_size=60))
def test_any_octets(octets: bytes) -> None:
    assert_same(octets)
