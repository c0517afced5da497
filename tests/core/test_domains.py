"""What is ours (RFC 3261 §16.4-5)."""

import pytest

from switchboard.core.domains import AccessList, OwnDomains, canonical_host, parse_host, parse_networks
from switchboard.sip.flow import TCP, TLS, UDP, WSS
from switchboard.sip.uri import SipUri


def domains(port: int = 5060) -> OwnDomains:
    return OwnDomains(["10.0.0.1", "2001:db8::1"], ["PBX.example."], port)


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("PBX.Example", "pbx.example"),
        ("pbx.example.", "pbx.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8:::1", "2001:db8::1"),
        ("[::ffff:10.0.0.1]", "10.0.0.1"),
    ],
)
def test_canonical_host(host: str, canonical: str) -> None:
    assert canonical_host(host) == canonical


@pytest.mark.parametrize(
    ("port", "uri", "is_own"),
    [
        (5060, "sip:lenka@10.0.0.1", True),
        (5060, "sip:10.0.0.1:5060", True),
        (5060, "sip:lenka@10.0.0.1:5070", False),
        (5060, "sip:lenka@Pbx.EXAMPLE", True),
        (5060, "sip:lenka@10.0.0.1;maddr=10.0.0.2", False),
        (5060, "sip:lenka@pbx.example;maddr=10.0.0.1", True),
        (5070, "sip:lenka@pbx.example:5060;maddr=10.0.0.1", False),
        (5060, "sip:lenka@pbx.example.", True),
        (5060, "sip:lenka@[2001:DB8:0::1]:5060", True),
        (5060, "sip:lenka@[2001:db8::2]", False),
        (5060, "sip:lenka@x.pbx.example", False),
        (5060, "sip:lenka@10.0.0.11", False),
        (5070, "sip:lenka@10.0.0.1", True),
        (5070, "sip:lenka@10.0.0.1:5070", True),
        (5070, "sip:lenka@10.0.0.1:5060", True),
        (5070, "sip:lenka@10.0.0.1:5080", False),
    ],
)
def test_owns(port: int, uri: str, is_own: bool) -> None:
    assert domains(port).owns(SipUri.parse(uri)) is is_own


@pytest.mark.parametrize(
    ("listening", "host", "port", "expected"),
    [
        (5060, "10.0.0.1", None, True),
        (5060, "10.0.0.1", 5060, True),
        (5060, "10.0.0.1", 5070, False),
        (5060, "[2001:db8::1]", 5060, True),
        (5060, "pbx.example", 5060, True),
        (5060, "10.0.0.2", 5060, False),
        (5070, "10.0.0.1", 5070, True),
        (5070, "10.0.0.1", 5060, False),
        (5070, "10.0.0.1", None, False),
    ],
)
def test_is_listening_at(listening: int, host: str, port: int | None, expected: bool) -> None:
    """Stricter than `owns`: another process may hold port 5060."""
    assert domains(listening).is_listening_at(host, port) is expected


def test_every_transport_has_its_port() -> None:
    own = OwnDomains(["10.0.0.1"], [], 5070, transports={UDP: 5070, TCP: 5071, TLS: 5061, WSS: 443})
    assert [own.port_of(each) for each in (UDP, TCP, TLS, WSS)] == [5070, 5071, 5061, 443]
    assert all(own.owns(SipUri.parse(f"sip:a@10.0.0.1:{port}")) for port in (5060, 5061, 5070, 5071, 443))
    assert not own.owns(SipUri.parse("sip:a@10.0.0.1:5072"))
    assert [own.is_listening_at("10.0.0.1", port) for port in (5061, 5060, None)] == [True, False, False]
    assert own.dialled == {UDP, TCP, TLS}
    assert own.is_secure


@pytest.mark.parametrize(
    ("own", "host", "expected"),
    [
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "10.0.0.1", False),
        ("10.0.0.1", "127.0.0.2", False),
        ("10.0.0.1", "::1", False),
        ("10.0.0.1", "::ffff:127.0.0.1", False),
        ("10.0.0.1", "phone.example", True),
        ("127.0.0.1", "127.0.0.2", True),
        ("127.0.0.1", "127.0.0.1", False),
    ],
)
def test_nothing_is_dialled_on_our_own_machine(own: str, host: str, expected: bool) -> None:
    assert OwnDomains([own], [], 5060).may_dial(host) is expected


def test_other_addresses_of_the_machine_are_not_dialled_although_they_are_not_ours() -> None:
    own = OwnDomains(["10.0.0.1"], [], 5060, machine=["10.0.0.1", "192.168.0.1", "2001:db8::1"])
    assert not any(map(own.may_dial, ("192.168.0.1", "::ffff:192.168.0.1", "2001:DB8:0::1")))
    assert own.may_dial("192.168.0.2")
    assert not own.is_host("192.168.0.1")


def test_udp_and_tcp_share_a_port_if_nothing_is_said() -> None:
    own = domains(5070)
    assert (own.port_of(UDP), own.port_of(TCP)) == (5070, 5070)
    assert own.dialled == {UDP, TCP}
    assert not own.is_secure


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
