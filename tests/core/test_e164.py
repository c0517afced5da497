"""Numbers as they are dialled in a country, and as E.164 has them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.e164 import normal_form


@pytest.mark.parametrize(
    ("country", "dialled", "number"),
    [
        ("SK", "0905123456", "+421905123456"),
        ("SK", "00421905123456", "+421905123456"),
        ("SK", "+421905123456", "+421905123456"),
        ("SK", "0033123456789", "+33123456789"),
        ("SK", "905123456", "+421905123456"),
        ("CZ", "777123456", "+420777123456"),
        ("US", "2125551234", "+12125551234"),
        ("US", "12125551234", "+12125551234"),
        ("US", "011442079460123", "+442079460123"),
        ("DE", "030123456", "+4930123456"),
    ],
)
def test_one_form(country: str, dialled: str, number: str) -> None:
    assert normal_form(country)(dialled) == number


@pytest.mark.parametrize("country", ["SK", "DE", "US", "CZ"])
@pytest.mark.parametrize(
    "dialled", ["", "1", "101", "112", "4711", "116117", "*21#", "+", "lenka", "0", "+999", "9" * 40, "١٠١"]
)
def test_what_is_no_such_number_stays(country: str, dialled: str) -> None:
    assert normal_form(country)(dialled) == dialled


@pytest.mark.parametrize("country", ["sk", "Slovakia", "XX", "421", "001"])
def test_no_country(country: str) -> None:
    with pytest.raises(ValueError, match="is no country"):
        normal_form(country)


@given(st.text(alphabet="+0123456789*#", max_size=20))
def test_the_form_is_a_number_and_has_no_further_one(dialled: str) -> None:
    normal = normal_form("SK")
    once = normal(dialled)
    assert once == dialled or re.fullmatch(r"\+[1-9][0-9]{3,14}", once)
    assert normal(once) == once
