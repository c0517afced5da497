import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.phrases.language import (
    choose_language,
    explain_unknown,
    match_language,
    parse_accept_language,
)

AVAILABLE = ("en", "sk", "cs", "de", "hu", "pl", "uk")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("", []),
        ("sk", [("sk", 1.0)]),
        ("da, en-GB;q=0.8, en;q=0.7", [("da", 1.0), ("en-gb", 0.8), ("en", 0.7)]),
        ("de;q=0.3,SK ; q = 0.9", [("sk", 0.9), ("de", 0.3)]),
        ("sk;q=0.5,cs;q=0.5", [("sk", 0.5), ("cs", 0.5)]),
        ("*;q=0.1, sk;q=0", [("*", 0.1), ("sk", 0.0)]),
        ("sk;level=1;q=0.4", [("sk", 0.4)]),
        ("sk;q=2, cs;q=x, de;q=, hu;q=-1, pl;q=0.1234, uk;q=nan", []),
        (",, sk,", [("sk", 1.0)]),
        ("s k, 5k, sk_SK, verylonglanguage, *-sk, sk-", []),
        ("sk," * 100, []),
    ],
)
def test_parse_accept_language(text: str, ranges: list[tuple[str, float]]) -> None:
    assert parse_accept_language(text) == ranges


@pytest.mark.parametrize(
    ("wanted", "available", "expected"),
    [
        ("sk", AVAILABLE, "sk"),
        ("SK", AVAILABLE, "sk"),
        ("sk-SK", AVAILABLE, "sk"),
        ("sk_SK", AVAILABLE, "sk"),
        ("uk-Cyrl-UA", AVAILABLE, "uk"),
        ("de", ("de-at", "de-ch"), "de-at"),
        ("de-AT", ("de", "de-at"), "de-at"),
        ("fr", AVAILABLE, None),
        ("s", AVAILABLE, None),
        ("skr", AVAILABLE, None),
        ("", AVAILABLE, None),
    ],
)
def test_match_language(wanted: str, available: tuple[str, ...], expected: str | None) -> None:
    assert match_language(wanted, available) == expected


@pytest.mark.parametrize(
    ("accept_language", "default", "expected"),
    [
        ("", "sk", "sk"),
        ("cs", "sk", "cs"),
        ("sk-SK", "en", "sk"),
        ("cs;q=0.5, de", "sk", "de"),
        ("de;q=0.5, cs;q=0.5", "sk", "de"),
        ("fr, cs;q=0.1", "sk", "cs"),
        ("fr", "sk", "sk"),
        ("en", "sk", "en"),
        ("en-US", "sk", "en"),
        ("*", "sk", "sk"),
        ("fr, *;q=0.1", "hu", "hu"),
        ("cs;q=0.3, *;q=0.5", "sk", "sk"),
        ("sk;q=0.3, *;q=0.5", "sk", "en"),
        ("sk;q=0, *", "sk", "en"),
        ("sk;q=0, en;q=0, *", "sk", "cs"),
        ("sk;q=0, sk-SK", "cs", "cs"),
        ("sk;q=0, de;q=0.1", "sk", "de"),
        ("sk;q=0", "sk", "en"),
        ("sk;q=0", "cs", "cs"),
        ("*;q=0", "sk", "sk"),
        ("*;q=0, de", "sk", "de"),
        ("complete nonsense;;;", "sk", "sk"),
    ],
)
def test_choose_language(accept_language: str, default: str, expected: str) -> None:
    assert choose_language(accept_language, AVAILABLE, default) == expected


@given(st.text(alphabet="skde-*,;q=01. \t\x00é\udc80", max_size=40))
def test_any_header_yields_an_available_language(text: str) -> None:
    assert choose_language(text, AVAILABLE, "sk") in AVAILABLE


def test_explain_unknown() -> None:
    assert explain_unknown({"language": "sk", "users.anna.language": "de-AT"}, AVAILABLE) == ""
    assert explain_unknown({"language": "sk", "users.anna.language": "xx"}, AVAILABLE) == (
        "No catalogue of phrases for users.anna.language = 'xx'. Available: cs, de, en, hu, pl, sk, uk."
    )
