"""Nonces that carry their own proof."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.auth.nonce import LENGTH, WINDOW, Changes, Nonce, Nonces, Replays

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


AT = 1_700_000_000
LIFETIME_S = 300.0


def nonce(number: int = 1, issued_at: int = AT) -> Nonce:
    return Nonce(issued_at.to_bytes(4, "big") + number.to_bytes(6, "big"), issued_at)


@pytest.mark.parametrize(
    ("counts", "accepted"),
    [
        ([1, 2, 3], [True, True, True]),
        ([1, 1], [True, False]),
        ([0], [False]),
        ([1, 0], [True, False]),
        ([5, 2, 2, 6, 5], [True, True, False, True, False]),
        ([1, WINDOW, 1, 2], [True, True, False, True]),
        ([1, WINDOW + 2, 2, 3], [True, True, False, True]),
        ([1, 1000, 1], [True, True, False]),
        ([None, None], [True, False]),
        ([None, 1], [True, False]),
        ([1, None], [True, False]),
        ([2**32 - 1, 1, 2**32 - 1], [True, False, False]),
    ],
)
def test_counts(counts: list[int | None], accepted: list[bool]) -> None:
    replays = Replays(LIFETIME_S)
    assert [replays.use(nonce(), count, AT) for count in counts] == accepted


@given(st.lists(st.integers(1, 200), max_size=60))
def test_no_count_is_good_twice_whenever_the_process_restarts(counts: list[int]) -> None:
    replays, good = Replays(LIFETIME_S), []
    kept: Changes = {}
    for number in counts:
        if replays.use(nonce(), number, AT):
            good.append(number)
        kept |= replays.take_changes()
        replays = Replays(LIFETIME_S, [(key, state) for key, state in kept.items() if state])
    assert len(good) == len(set(good))
    assert counts == [] or max(counts) in good


def test_what_was_taken_back_may_be_used_once_more() -> None:
    replays = Replays(LIFETIME_S)
    assert replays.use(nonce(1), 1, AT)
    kept = replays.take_changes()
    replays.begin()
    assert [replays.use(nonce(1), 2, AT), replays.use(nonce(1), 3, AT), replays.use(nonce(2), 1, AT)] == [
        True
    ] * 3
    kept |= replays.take_changes()
    replays.undo()
    kept |= replays.take_changes()
    assert list(kept) == [nonce(1).identity, nonce(2).identity]
    assert kept[nonce(2).identity] is None
    for each in (replays, Replays(LIFETIME_S, [(key, state) for key, state in kept.items() if state])):
        assert not each.use(nonce(1), 1, AT)
        assert each.use(nonce(1), 2, AT)
        assert each.use(nonce(2), 1, AT)
        assert not each.use(nonce(2), 1, AT)


def test_what_is_over_is_forgotten_and_so_kept_no_longer() -> None:
    replays = Replays(LIFETIME_S)
    replays.use(nonce(1), 1, AT)
    assert list(replays.take_changes()) == [nonce(1).identity]
    replays.use(nonce(2, AT + 301), 1, AT + 301)
    changes = replays.take_changes()
    assert changes[nonce(1).identity] is None
    assert changes[nonce(2, AT + 301).identity] is not None
    assert len(replays) == 1


def test_too_many_nonces_do_not_grow_it_nor_open_it() -> None:
    replays = Replays(LIFETIME_S, most=2)
    for number in (1, 2, 3):
        assert replays.use(nonce(number, AT + number), 1, AT + number)
    assert len(replays) == 2
    assert not replays.use(nonce(1, AT + 1), 1, AT + 3)
    assert replays.use(nonce(3, AT + 3), 2, AT + 3)
    assert replays.use(nonce(4, AT + 4), 1, AT + 4)


def test_a_successor_of_a_full_one_believes_only_what_it_knows() -> None:
    before = Replays(LIFETIME_S, most=2)
    for number in (1, 2, 3):
        before.use(nonce(number, AT), 1, AT)
    kept = [(key, state) for key, state in before.take_changes().items() if state]
    after = Replays(LIFETIME_S, kept, most=2)
    assert not after.use(nonce(1), 1, AT)
    assert not after.use(nonce(4), 1, AT)
    assert after.use(nonce(3), 2, AT)
    assert after.use(nonce(5, AT + 1), 1, AT + 1)
