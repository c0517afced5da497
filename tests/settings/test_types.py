"""Where servers listen, as the settings say it."""

import pytest
from pydantic import ValidationError

from switchboard.settings.types import (
    AccessSettings,
    check_network,
    check_scanner,
    is_loopback,
    parse_listening,
    show_address,
)


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


@pytest.mark.parametrize(
    ("access", "shown"),
    [
        (AccessSettings(), "everybody"),
        (AccessSettings(allow=("10.0.0.0/8",), deny=("10.0.0.1",)), "allow 10.0.0.0/8; deny 10.0.0.1/32"),
        (AccessSettings.model_validate({"methods": {"REGISTER": {"deny": ["::/0"]}}}), "REGISTER: deny ::/0"),
    ],
)
def test_access_in_words(access: AccessSettings, shown: str) -> None:
    assert str(access) == shown


@pytest.mark.parametrize("access", [{"allow": ["everybody"]}, {"answer": "no"}, {"methods": {"bye": {}}}])
def test_bad_access(access: object) -> None:
    with pytest.raises(ValidationError):
        AccessSettings.model_validate(access)


def test_networks_and_scanners_in_one_form() -> None:
    assert check_network(" 10.0.0.1 ") == "10.0.0.1/32"
    assert check_scanner("Friendly") == "friendly"
