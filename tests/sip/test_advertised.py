"""Who sees the advertised address."""

import pytest

from switchboard.sip.advertised import is_inner, seen_address

PUBLIC = "203.0.113.5"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.0.0.1", True),
        ("172.16.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.1", False),
        ("192.168.7.1", True),
        ("100.64.0.1", True),
        ("100.128.0.1", False),
        ("169.254.1.1", True),
        ("127.0.0.1", True),
        ("198.51.100.7", False),
        ("2001:db8::1", False),
        ("fe80::1%eth0", False),
        ("pbx.example", False),
        ("", False),
    ],
)
def test_is_inner(host: str, expected: bool) -> None:
    assert is_inner(host) is expected


@pytest.mark.parametrize(
    ("advertised", "local", "peer", "expected"),
    [
        (PUBLIC, "10.0.0.5", "198.51.100.7", PUBLIC),
        (PUBLIC, "10.0.0.5", "10.0.0.9", "10.0.0.5"),
        (PUBLIC, "198.51.100.1", "198.51.100.7", "198.51.100.1"),
        (PUBLIC, "2001:db8::5", "2001:db8::7", "2001:db8::5"),
        (PUBLIC, "", "198.51.100.7", ""),
        ("", "10.0.0.5", "198.51.100.7", "10.0.0.5"),
    ],
)
def test_seen_address(advertised: str, local: str, peer: str, expected: str) -> None:
    assert seen_address(advertised, local, peer) == expected
