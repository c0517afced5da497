"""Numbers in one form: what is dialled in a country, as E.164 has it (`+421905123456`).

    +421 905 123 456, 00421905123456     written for abroad: wherever such a number may be
    0905 123 456                         with the country's own prefix, if that is a possible number there
    777 123 456                          without any, where there is no such prefix, if that is a valid number there

All else is no such number and stays as it is: extensions, short numbers, codes.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Final

MISSING: Final = "country needs phonenumbers: pip install 'switchboard[numbers]', the extra for numbers"
_REMEMBERED: Final = 4096
_SHORTEST: Final = 7
"""Digits of a number that is written without any prefix; shorter ones are extensions."""


def same(number: str) -> str:
    """The form of numbers where no country is known: as they are."""
    return number


def normal_form(country: str) -> Callable[[str], str]:
    """Return what makes E.164 of a number without separators, as it is dialled in `country` ("SK").

    ValueError, for people, if there is no such country, or the library is missing.
    """
    if find_spec("phonenumbers") is None:
        raise ValueError(MISSING)
    import phonenumbers
    from phonenumbers import CountryCodeSource, NumberParseException, PhoneNumberFormat, ValidationResult

    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{country!r} is no country: two capital letters, as SK or GB (ISO 3166)")
    prefix = phonenumbers.ndd_prefix_for_region(country, True) or ""

    @lru_cache(_REMEMBERED)
    def normal(number: str) -> str:
        try:
            found = phonenumbers.parse(number, country, keep_raw_input=True)
        except NumberParseException:
            return number
        if phonenumbers.is_possible_number_with_reason(found) != ValidationResult.IS_POSSIBLE:
            return number
        is_for_abroad = found.country_code_source in (
            CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
            CountryCodeSource.FROM_NUMBER_WITH_IDD,
        )
        is_national = bool(prefix) and number.startswith(prefix)
        if is_for_abroad or is_national or (len(number) >= _SHORTEST and phonenumbers.is_valid_number(found)):
            return str(phonenumbers.format_number(found, PhoneNumberFormat.E164))
        return number

    def of(number: str) -> str:
        is_plain = (
            number.removeprefix("+").isdecimal() and number.isascii()
        )  # letters and * are no digits of it
        return normal(number) if is_plain else number

    return of
