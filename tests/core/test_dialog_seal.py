"""What our Record-Route proves."""

import pytest
from flows import udp
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.dialog_seal import NOBODY, DialogSeals, Side, Sides
from switchboard.sip.uri import SipUri

SEALS = DialogSeals(b"k" * 32)
CALLER = Side(udp("203.0.113.9", 40123, "198.51.100.1"), b"abcd", b"efgh", True, False, True)
CALLEE = Side(udp("203.0.113.7", 5060, "198.51.100.1"), b"ijkl", NOBODY, False, True, False, True)
SIDES = Sides(CALLER, CALLEE)
SEAL = SEALS.make(SIDES, "call", "tag")
ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(["fe80::1%eth0", "fe80::1%4", ""])
SUMS = st.binary(min_size=4, max_size=4)
SIDE = st.builds(
    Side,
    st.builds(udp, ADDRESSES, st.integers(0, 65535), ADDRESSES),
    SUMS,
    SUMS,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(st.builds(Sides, SIDE, SIDE), st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_what_was_sealed_is_read_again(sides: Sides, call_id: str, tag: str) -> None:
    assert SEALS.read(SEALS.make(sides, call_id, tag), call_id, tag) == sides


def test_it_leads_from_each_side_to_the_other() -> None:
    assert SEALS.lead(SEAL, "call", "tag", "other") == (CALLEE, CALLER)
    assert SEALS.lead(SEAL, "call", "other", "tag") == (CALLER, CALLEE)
    assert SEALS.lead(SEAL, "call", "other", "another") is None
    assert SEALS.lead(SEAL, "call", "", "") is None


def test_it_is_short_and_of_letters_that_no_phone_changes() -> None:
    assert len(SEAL) <= 66
    assert SEAL.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("call_id", "tag"), [("another", "tag"), ("call", "another"), ("call", ""), ("", "tag")]
)
def test_it_is_worth_nothing_in_another_dialog(call_id: str, tag: str) -> None:
    assert SEALS.read(SEAL, call_id, tag) is None


def test_nor_with_another_key() -> None:
    assert DialogSeals(b"x" * 32).read(SEAL, "call", "tag") is None


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda octets: octets.hex()))
def test_what_is_made_up_leads_nowhere(text: str) -> None:
    assert SEALS.read(text, "call", "tag") is None


@given(st.integers(0, len(SEAL) - 1), st.sampled_from(list("Aq0-_=.;~%") + [""]))
def test_nor_does_one_that_was_changed(place: int, letter: str) -> None:
    changed = SEAL[:place] + letter + SEAL[place + 1 :]
    # the last letter of base64 holds bits that mean nothing
    assert changed == SEAL or SEALS.read(changed, "call", "tag") in (None, SIDES)
    assert place == len(SEAL) - 1 or changed == SEAL or SEALS.read(changed, "call", "tag") is None


@given(st.integers(0, len(SEAL) - 1))
def test_nor_one_that_was_cut(size: int) -> None:
    assert SEALS.read(SEAL[:size], "call", "tag") is None


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("sip:a@h", "sip:b@H.:5060;x=1", True),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]:5060", True),
        ("sip:a@h:5061", "sip:a@h", False),
        ("sip:a@h;maddr=10.0.0.9", "sip:a@10.0.0.9", True),
        ("sip:a@127.0.0.1", "sip:a@127.0.0.11", False),
    ],
)
def test_a_target_is_told_by_the_address_that_it_names(one: str, other: str, is_same: bool) -> None:
    sums = [SEALS.target_of(SipUri.parse(text), text) for text in (one, other)]
    assert (sums[0] == sums[1]) is is_same


def test_a_tag_is_the_same_for_copies_of_one_request() -> None:
    assert SEALS.tag("call", "tag", 1, "b") == SEALS.tag("call", "tag", 1, "b")
    assert len({SEALS.tag("call", "tag", number, "b") for number in range(9)}) == 9
