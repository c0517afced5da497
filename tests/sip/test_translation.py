"""Where a user agent is reached that names an address of its own network."""

import pytest

from switchboard.sip.translation import _address_cached, address_of, is_private, is_translated


@pytest.mark.parametrize(
    ("contact", "via", "source", "expected"),
    [
        ("192.168.1.5", "192.168.1.5", "198.51.100.7", True),
        ("192.168.1.5", "192.168.1.5", "10.0.0.7", True),
        ("192.168.1.5", "192.168.1.5", "192.168.1.5", False),
        ("[fd00::5]", "[fd00::5]", "2001:db8::7", True),
        ("10.0.0.9", "10.0.0.7", "10.0.0.7", False),  # a gateway that listens at another address
        ("192.168.1.5", "8.8.8.8", "8.8.8.8", True),  # its Via was corrected, its Contact was not
        ("8.8.4.4", "8.8.8.8", "8.8.8.8", False),
        ("phone7.invalid", "phone7.invalid", "10.0.0.7", True),
        ("phone7.lan", "phone7.lan", "10.0.0.7", False),
        ("127.0.0.11", "127.0.0.1", "127.0.0.1", False),
        ("127.0.1.1", "10.0.0.7", "10.0.0.7", True),
        ("[::1]", "10.0.0.7", "10.0.0.7", True),
        ("localhost", "10.0.0.7", "10.0.0.7", True),
        ("localhost", "127.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1", True),
        ("224.0.1.75", "10.0.0.7", "10.0.0.7", True),
        ("255.255.255.255", "10.0.0.7", "10.0.0.7", True),
        ("", "", "10.0.0.7", False),
    ],
)
def test_is_translated(contact: str, via: str, source: str, expected: bool) -> None:
    assert is_translated(contact, via, source) is expected


def test_what_is_longer_than_any_host_is_no_address_and_not_remembered() -> None:
    before = _address_cached.cache_info().currsize
    assert address_of("1" * 300) is None
    assert address_of("[" + ":" * 60_000) is None
    assert _address_cached.cache_info().currsize == before


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.0.0.1", True),
        ("100.64.1.1", True),
        ("[fd00::1]", True),
        ("8.8.8.8", False),
        ("host.example", False),
    ],
)
def test_is_private(host: str, expected: bool) -> None:
    assert is_private(host) is expected
