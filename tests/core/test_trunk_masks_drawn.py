"""The numbers that a provider sees, whatever numbers a phone writes (RFC 3261 §8.1.1.5, §12.2.1.1)."""

from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.trunk_masks import LARGEST, STEP, Mask, answers_in

MOST = 2**31 - 1
NUMBERS = st.integers(0, MOST)


def mask(base: int, answers: int = 0) -> Mask:
    return Mask("p", base, answers, "sip:a@near", "sip:b@near", "sip:a@far", "sip:b@far")


@given(st.integers(-1, MOST), NUMBERS, NUMBERS, st.sampled_from(["INVITE", "BYE", "PRACK"]))
def test_they_are_numbers_in_the_same_order(base: int, one: int, other: int, method: str) -> None:
    seen, later = (mask(base).number(each, method) for each in sorted((one, other)))
    assert 0 <= seen <= later <= LARGEST
    assert later + STEP - 1 <= MOST  # with the answers to challenges
    if base < min(one, other) and max(one, other) - base < LARGEST // STEP:
        assert (later - seen) == STEP * abs(one - other)
        assert answers_in(seen) == 0


@given(st.integers(-1, MOST - 1), st.integers(0, STEP - 1), NUMBERS, st.integers(0, STEP - 1))
def test_an_ack_has_the_number_of_its_invite(base: int, first: int, number: int, later: int) -> None:
    found = mask(base, first).number(number, "ACK", later)
    answers = first if number == base + 1 else later
    assert found == mask(base).number(number, "INVITE") + answers
    assert answers_in(found) == answers
    assert found <= MOST
