"""Nonces that carry their own proof."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.auth.nonce import LENGTH, Nonces

NOW_AT = 1_700_000_000.75
HOP = ("192.0.2.1", 5060)


def make(issuer: str = "registrar", key: bytes = b"k" * 32) -> Nonces:
    numbers = count(1)
    return Nonces(key, issuer, 300.0, lambda size: next(numbers).to_bytes(size, "big"))


def test_its_issuer_knows_it_again_until_its_time_is_over() -> None:
    nonces = make()
    text = nonces.make(NOW_AT, HOP)
    assert len(text) == LENGTH
    known = nonces.read(text, NOW_AT + 299)
    assert known is not None
    assert known.issued_at == 1_700_000_000
    assert nonces.read(text, NOW_AT + 301) is None


def test_no_two_are_the_same() -> None:
    nonces = make()
    one, other = (nonces.read(nonces.make(NOW_AT, HOP), NOW_AT) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.identity != other.identity


def test_a_clock_that_went_back_a_little_does_no_harm() -> None:
    nonces = make()
    text = nonces.make(NOW_AT, HOP)
    assert nonces.read(text, NOW_AT - 30)
    assert nonces.read(text, NOW_AT - 90) is None


@pytest.mark.parametrize("other", [make("router.0"), make(key=b"x" * 32)])
def test_nobody_else_accepts_it(other: Nonces) -> None:
    assert other.read(make().make(NOW_AT, HOP), NOW_AT) is None


@pytest.mark.parametrize("hop", [("192.0.2.2", 5060), ("192.0.2.1", 5061), ("192.0.2.15", 60)])
def test_it_proves_the_address_that_it_was_sent_to_and_no_other(hop: tuple[str, int]) -> None:
    nonces = make()
    nonce = nonces.read(nonces.make(NOW_AT, HOP), NOW_AT)
    assert nonce is not None
    assert nonces.was_sent_to(nonce, HOP)
    assert not nonces.was_sent_to(nonce, hop)


@given(st.integers(0, LENGTH * 6 - 1))
def test_no_bit_of_it_can_be_changed(bit: int) -> None:
    nonces = make()
    sealed = bytearray(urlsafe_b64decode(nonces.make(NOW_AT, HOP)))
    sealed[bit // 8] ^= 1 << bit % 8
    assert nonces.read(urlsafe_b64encode(bytes(sealed)).decode(), NOW_AT) is None


@given(st.one_of(st.text(min_size=LENGTH, max_size=LENGTH), st.text(max_size=40)))
def test_what_others_make_up_is_none(text: str) -> None:
    assert make().read(text, NOW_AT) is None
