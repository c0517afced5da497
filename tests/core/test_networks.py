"""Networks and access lists."""

import pytest

from switchboard.core.networks import AccessList, parse_host, parse_networks


@pytest.mark.parametrize(
    ("allow", "deny", "host", "expected"),
    [
        ((), (), "192.0.2.1", True),
        ((), ("192.0.2.0/24",), "192.0.2.1", False),
        ((), ("192.0.2.0/24",), "192.0.3.1", True),
        (("10.0.0.0/8",), (), "10.1.2.3", True),
        (("10.0.0.0/8",), (), "192.0.2.1", False),
        (("10.0.0.0/8",), ("10.1.0.0/16",), "10.1.2.3", False),
        (("10.0.0.0/8",), (), "2001:db8::1", False),
        (("fe80::/10", "::1"), (), "fe80::1%eth0", True),
        (("fe80::/10", "::1"), (), "::1", True),
    ],
)
def test_who_is_let_in(allow: tuple[str, ...], deny: tuple[str, ...], host: str, expected: bool) -> None:
    access = AccessList(parse_networks(allow), parse_networks(deny))
    assert access.lets_in(parse_host(host)) is expected


@pytest.mark.parametrize("text", ["10.0.0.1/8", "example.com", "", "10.0.0.0/33"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_networks([text])
