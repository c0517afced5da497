"""Where servers listen, as the settings say it."""

import pytest

from switchboard.settings.listening import is_loopback, parse_listening, show_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        (" 0.0.0.0:1 ", ("0.0.0.0", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("off", None),
        ("OFF", None),
    ],
)
def test_good(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_listening(text) == expected


@pytest.mark.parametrize(
    "text", ["", "8080", "127.0.0.1", "localhost:8080", "::1:80", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3:80"]
)
def test_bad(text: str) -> None:
    with pytest.raises(ValueError, match=r"8080|does not appear"):
        parse_listening(text)


@pytest.mark.parametrize(("address", "expected"), [("127.8.8.8", True), ("::1", True), ("0.0.0.0", False)])
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_as_in_a_url() -> None:
    assert (show_address("::1", 80), show_address("10.0.0.1", 80)) == ("[::1]:80", "10.0.0.1:80")
