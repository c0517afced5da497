"""Which Host a request may name."""

import pytest

from switchboard.console.hostname import is_known_host

NAMES = frozenset({"pbx.example.com"})


@pytest.mark.parametrize(
    ("header", "names", "only_loopback", "expected"),
    [
        ("127.0.0.1:8080", (), True, True),
        ("localhost", (), True, True),
        ("LOCALHOST.:9000", (), True, True),
        ("[::1]:8080", (), True, True),
        ("10.0.0.1:8080", (), True, False),
        ("10.0.0.1:8080", (), False, True),
        ("[2001:db8::1]", (), False, True),
        ("pbx.example.com", NAMES, False, True),
        ("PBX.example.com:8080", NAMES, False, True),
        ("evil.example.net:8080", NAMES, False, False),
        ("127.0.0.1.evil.example.net", NAMES, False, False),
        ("pbx.example.com", (), True, False),
        ("", (), False, False),
        ("a:b:c", (), False, False),
        ("localhost:123456", (), False, False),
    ],
)
def test_hosts(header: str, names: frozenset[str], only_loopback: bool, expected: bool) -> None:
    assert is_known_host(header, names, only_loopback) is expected
