"""STUN at the SIP port: RFC 5769's vectors, and answers that are hardly larger than what came."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.sip.dispatch import DatagramKind, classify
from switchboard.sip.stun import COOKIE, HEADER_BYTES, MOST_ADDED, answer_to

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = b"\0\1\0\0" + COOKIE + ID
SAMPLE = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a683676592020 20"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
"""RFC 5769 §2.1, with attributes that change nothing."""


def attribute(kind: int, value: bytes = b"") -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def with_attributes(*attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return b"\0\1" + len(body).to_bytes(2, "big") + COOKIE + ID + body


@pytest.mark.parametrize("request_", [REQUEST, SAMPLE])
@pytest.mark.parametrize(
    ("host", "mapped"),
    [
        ("192.0.2.1", "002000080001a147e112a643"),
        ("2001:db8:1234:5678:11:2233:4455:6677", "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),
    ],
)
def test_the_source_is_told_as_in_rfc_5769(request_: bytes, host: str, mapped: str) -> None:
    attributes = bytes.fromhex(mapped)
    head = b"\1\1" + len(attributes).to_bytes(2, "big") + COOKIE + ID
    assert answer_to(request_, host, 32853) == head + attributes


def test_a_client_of_old_gets_the_address_as_it_is() -> None:
    answer = answer_to(b"\0\1\0\0" + bytes(range(16)), "192.0.2.1", 32853)
    assert answer == bytes.fromhex("0101000c") + bytes(range(16)) + bytes.fromhex(
        "000100080001 8055 c0000201"
    )


def test_what_is_not_understood_and_must_be_is_named() -> None:
    answer = answer_to(with_attributes(attribute(0x8022, b"me"), attribute(0x0027, b"x")), "192.0.2.1", 1)
    assert answer == bytes.fromhex("01110010") + COOKIE + ID + bytes.fromhex(
        "0009000400000414000a000200270000"
    )


@pytest.mark.parametrize(
    "message",
    [
        b"",
        REQUEST[:-1],
        b"\0\x11" + REQUEST[2:],
        b"\1\1" + REQUEST[2:],
        b"\0\3" + REQUEST[2:],
        b"\0\1\0\4" + REQUEST[4:],
        REQUEST + b"\0",
        b"\0\1\0\4" + COOKIE + ID + b"\x80\x22\0\1",
        b"\0\1\0\2" + COOKIE + ID + b"\x80\x22",
        b"\0\1\xff\xff" + COOKIE + ID,
    ],
)
def test_what_is_no_binding_request_gets_no_answer(message: bytes) -> None:
    assert answer_to(message, "192.0.2.1", 5060) is None


ADDRESSES = st.one_of(st.ip_addresses().map(str), st.just("fe80::1%eth0"))
ATTRIBUTES = st.lists(st.builds(attribute, st.integers(0, 65535), st.binary(max_size=9)), max_size=5)
MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=60).map(lambda rest: REQUEST + rest),
    ATTRIBUTES.map(lambda attributes: with_attributes(*attributes)),
)


@given(MESSAGES, ADDRESSES, st.integers(0, 65535))
def test_an_answer_is_hardly_larger_than_what_came(message: bytes, host: str, port: int) -> None:
    answer = answer_to(message, host, port)
    if answer is None:
        return
    assert classify(message) is DatagramKind.STUN
    assert answer[4:HEADER_BYTES] == message[4:HEADER_BYTES]
    assert int.from_bytes(answer[2:4], "big") == len(answer) - HEADER_BYTES
    assert len(answer) <= len(message) + MOST_ADDED


@given(ATTRIBUTES, ADDRESSES, st.integers(0, 65535))
def test_whoever_asks_well_learns_the_address(attributes: list[bytes], host: str, port: int) -> None:
    answer = answer_to(with_attributes(*attributes), host, port)
    assert answer is not None
    if answer[:2] == b"\1\1":
        unmasked = bytes(
            one ^ other for one, other in zip(answer[26:], COOKIE[:2] + COOKIE + ID, strict=False)
        )
        mask = (COOKIE + ID)[: len(answer) - 28]
        octets = bytes(one ^ other for one, other in zip(answer[28:], mask, strict=True))
        assert int.from_bytes(unmasked[:2], "big") == port
        assert ip_address(octets) == ip_address(host.partition("%")[0])
