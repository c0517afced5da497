"""What our Record-Route proves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.auth.dialogs import Dialogs

CALLER, OTHER = "10.0.0.11", "192.0.2.7"
DIALOGS = Dialogs(b"k" * 32)


def leads(
    proof: str, *, call_id: str = "call", tag: str = "tag", source: str = CALLER, host: str = OTHER
) -> bool:
    return DIALOGS.leads(proof, call_id, ("other", tag), source, host)


@pytest.mark.parametrize("host", [CALLER, OTHER, "PBX.example.", "2001:DB8::1"])
def test_a_dialog_leads_to_its_hosts(host: str) -> None:
    proof = DIALOGS.prove("call", "tag", CALLER, (OTHER, "pbx.example", "[2001:db8::1]"), relayed=False)
    assert leads(proof, host=host)


@pytest.mark.parametrize(
    "change", [{"call_id": "another"}, {"tag": "another"}, {"host": "192.0.2.8"}, {"host": ""}]
)
def test_and_nowhere_else_and_no_other_dialog(change: dict[str, str]) -> None:
    assert not leads(DIALOGS.prove("call", "tag", CALLER, (OTHER,), relayed=False), **change)


def test_a_caller_who_may_relay_goes_anywhere_from_where_it_called() -> None:
    proof = DIALOGS.prove("call", "tag", CALLER, (), relayed=True)
    assert leads(proof, host="anywhere.example")
    assert not leads(proof, host="anywhere.example", source=OTHER)


def test_another_key_proves_nothing() -> None:
    assert not leads(Dialogs(b"x" * 32).prove("call", "tag", CALLER, (OTHER,), relayed=False))


@given(st.text(max_size=60))
def test_what_is_made_up_leads_nowhere(proof: str) -> None:
    assert not leads(proof)


def test_a_tag_is_the_same_for_copies_of_one_request() -> None:
    assert DIALOGS.tag("call", "tag", 1, "b") == DIALOGS.tag("call", "tag", 1, "b")
    assert len({DIALOGS.tag("call", "tag", number, "b") for number in range(9)}) == 9
