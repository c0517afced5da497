"""Networks that are trusted."""

import pytest

from switchboard.auth.authenticator import Trusted


@pytest.mark.parametrize(
    ("host", "is_in"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("[2001:db8::7]", True),
        ("2001:db9::7", False),
        ("fe80::1%eth0", True),
        ("gateway.example", False),
        ("", False),
    ],
)
def test_who_is_trusted(host: str, is_in: bool) -> None:
    trusted = Trusted(("10.1.0.0/16", "2001:db8::/32", "fe80::1"))
    assert (host in trusted) is is_in
    assert host not in Trusted()
