"""Nothing is believed twice (RFC 7616 §3.4.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.auth.nonce import Nonce
from switchboard.auth.replay import WINDOW, Changes, Replays

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
    for count in counts:
        if replays.use(nonce(), count, AT):
            good.append(count)
        kept |= replays.take_changes()
        replays = Replays(LIFETIME_S, [(key, state) for key, state in kept.items() if state])
    assert len(good) == len(set(good))
    assert counts == [] or max(counts) in good


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
