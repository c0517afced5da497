"""The machine's addresses. Only what every machine has is taken for granted: the loopback interface."""

from ipaddress import ip_interface
from pathlib import Path

import pytest
from pydantic import ValidationError

from switchboard.settings import local
from switchboard.settings.local import (
    LocalAddresses,
    SourceAddresses,
    edges_by_address,
    interfaces,
    own_addresses,
    own_domains,
)
from switchboard.settings.model import Settings
from switchboard.sip.flow import packed_address
from switchboard.sip.uri import SipUri

TWO_NETWORKS = LocalAddresses(
    tuple(map(ip_interface, ("127.0.0.1/8", "10.0.0.1/8", "10.1.0.1/16", "2001:db8:1::1/64"))),
    {4: "192.0.2.1", 6: "2001:db8:9::1"},
)


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(data_dir=tmp_path, **values)  # type: ignore[arg-type]


def test_interfaces() -> None:
    found = interfaces()
    assert ip_interface("127.0.0.1/8") in found
    assert all(each.version == 4 or not each.ip.is_link_local for each in found)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.9", "127.0.0.1"),
        ("10.0.0.9", "10.0.0.1"),
        ("10.1.0.9", "10.1.0.1"),
        ("198.51.100.1", "192.0.2.1"),
        ("2001:db8:1::9", "2001:db8:1::1"),
        ("2001:db8:2::9", "2001:db8:9::1"),
        ("fe80::1%eth0", "2001:db8:9::1"),
    ],
)
def test_facing(host: str, address: str) -> None:
    """The address in the narrowest network of the peer's, else the default route's."""
    assert TWO_NETWORKS.source_address(host) == address


@pytest.mark.parametrize("host", ["198.51.100.1", "2001:db8::1"])
def test_facing_nobody(host: str) -> None:
    assert LocalAddresses((), {}).source_address(host) == ""


@pytest.mark.parametrize(
    ("sip_host", "peer", "address"),
    [
        ("", "127.0.0.9", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.9", "127.0.0.2"),
        ("127.0.0.2", "198.51.100.1", "127.0.0.2"),
        ("127.0.0.2", "::1", ""),
        ("::1", "2001:db8::1", "::1"),
        ("::1", "127.0.0.1", ""),
    ],
)
def test_facing_under_settings(tmp_path: Path, sip_host: str, peer: str, address: str) -> None:
    """Where we listen at one address, every peer of its family sees that; others cannot be reached."""
    source_address = SourceAddresses(settings(tmp_path, sip_host=sip_host))
    assert source_address(peer) == address
    source_address.refresh()
    assert source_address(peer) == address


def test_a_look_around_tells_whether_an_address_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_address = SourceAddresses(settings(tmp_path))
    assert not source_address.refresh()
    monkeypatch.setattr(local, "interfaces", lambda: [ip_interface("10.9.8.7/24")])
    assert source_address.refresh()
    assert source_address("10.9.8.1") == "10.9.8.7"


def test_facing_forgets_rather_than_grow(tmp_path: Path) -> None:
    source_address = SourceAddresses(settings(tmp_path, sip_host="127.0.0.1"))
    for number in range(10_001):
        source_address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert source_address("10.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize(("sip_host", "addresses"), [("127.0.0.2", ["127.0.0.2"]), ("::1", ["::1"])])
def test_own_addresses(tmp_path: Path, sip_host: str, addresses: list[str]) -> None:
    assert own_addresses(settings(tmp_path, sip_host=sip_host)) == addresses


def test_all_addresses_are_ours(tmp_path: Path) -> None:
    assert own_addresses(settings(tmp_path)) == [str(each.ip) for each in interfaces()]


def test_own_domains(tmp_path: Path) -> None:
    own = own_domains(settings(tmp_path, sip_port=5070, domains=("pbx.example",)))
    for uri in ("sip:a@pbx.example", "sip:a@127.0.0.1:5070"):
        assert own.owns(SipUri.parse(uri))
    assert not own.owns(SipUri.parse("sip:a@192.0.2.1"))


def test_no_service_of_this_machine_is_dialled_wherever_we_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "interfaces", lambda: [ip_interface("192.168.0.1/24")])
    own = own_domains(settings(tmp_path, sip_host="192.0.2.1"))
    assert (own.may_dial("192.168.0.1"), own.may_dial("192.168.0.2")) == (False, True)


def test_where_the_edge_is_elsewhere_its_addresses_are_those_of_its_host(tmp_path: Path) -> None:
    hosts = {
        "alpha": {
            "address": "10.9.0.1",
            "components": ["edge"],
            "sip_addresses": ["10.0.0.1/8", "192.168.0.1/24", "2001:db8::1/64"],
        },
        "beta": {"address": "10.9.0.2", "components": ["registrar", "router", "translator", "journal"]},
    }
    far = settings(tmp_path, hosts=hosts, host="beta", routers=1)
    assert own_addresses(far) == ["10.0.0.1", "192.168.0.1", "2001:db8::1"]
    source_address = SourceAddresses(far)
    peers = ["10.2.3.4", "192.168.0.9", "198.51.100.1", "2001:db8:9::1"]
    assert [source_address(peer) for peer in peers] == ["10.0.0.1", "192.168.0.1", "10.0.0.1", "2001:db8::1"]


def test_an_edge_elsewhere_has_at_least_its_hosts_address(tmp_path: Path) -> None:
    hosts = {
        "alpha": {"address": "10.9.0.1", "components": ["edge"]},
        "beta": {"address": "10.9.0.2", "components": ["registrar", "router", "translator", "journal"]},
    }
    assert own_addresses(settings(tmp_path, hosts=hosts, host="beta", routers=1)) == ["10.9.0.1"]


@pytest.mark.parametrize(
    ("peer", "address"),
    [("198.51.100.1", "203.0.113.5"), ("10.0.0.9", "127.0.0.2"), ("127.0.0.9", "127.0.0.2"), ("::1", "")],
)
def test_peers_outside_see_the_advertised_address(tmp_path: Path, peer: str, address: str) -> None:
    own = settings(tmp_path, sip_host="127.0.0.2", advertise="203.0.113.5")
    assert SourceAddresses(own)(peer) == address
    assert own_addresses(own) == ["127.0.0.2", "203.0.113.5"]
    assert own_domains(own).owns(SipUri.parse("sip:lukas@203.0.113.5"))


TWO_EDGES = {
    "alpha": {
        "address": "10.9.0.1",
        "components": ["edge"],
        "sip_addresses": ["10.0.0.1/8", "192.168.0.50/24"],
        "advertise": "203.0.113.1",
    },
    "beta": {"address": "10.9.0.2", "components": ["registrar", "router", "translator", "journal"]},
    "gamma": {
        "address": "10.9.0.3",
        "components": ["edge"],
        "sip_addresses": ["192.168.0.3/24", "192.168.0.50/24"],
        "advertise": "203.0.113.3",
    },
}


def test_the_addresses_of_all_edges_are_ours(tmp_path: Path) -> None:
    far = settings(tmp_path, hosts=TWO_EDGES, host="beta", routers=1)
    alphas, gammas = ["10.0.0.1", "192.168.0.50", "203.0.113.1"], ["192.168.0.3", "203.0.113.3"]
    assert own_addresses(far) == [*alphas, *gammas]
    assert all(own_domains(far).owns(SipUri.parse(f"sip:eva@{each}")) for each in [*alphas, *gammas])
    assert edges_by_address(far) == {
        **{packed_address(each): (0,) for each in alphas},
        **{packed_address(each): (2 - 1,) for each in gammas},
        packed_address("192.168.0.50"): (0, 1),
    }


def test_an_address_is_chosen_among_those_of_all_edges_that_are_there(tmp_path: Path) -> None:
    source_address = SourceAddresses(settings(tmp_path, hosts=TWO_EDGES, host="beta", routers=1))
    peers = ["10.2.3.4", "192.168.0.9", "198.51.100.1"]
    assert [source_address(peer) for peer in peers] == ["10.0.0.1", "192.168.0.50", "203.0.113.1"]
    assert source_address.refresh({0})
    assert not source_address.refresh({0})
    assert [source_address(peer) for peer in peers] == ["192.168.0.3", "192.168.0.3", "203.0.113.3"]
    assert source_address.refresh({0, 1})  # that is not to be: all of them are taken for there
    assert source_address("10.2.3.4") == "10.0.0.1"


def test_nothing_leaves_from_an_edge_that_is_away(tmp_path: Path) -> None:
    far = settings(tmp_path, hosts=TWO_EDGES, host="beta", routers=1)
    addresses = ["10.0.0.1", "192.168.0.50", "192.168.0.3"]
    for away, is_there in (
        ((), [True, True, True]),
        ((0,), [False, True, True]),
        ((0, 1), [True, True, True]),
    ):
        own = own_domains(far, away)
        assert [own.may_send_from(each, 5060) for each in addresses] == is_there
        assert all(own.is_listening_at(each, 5060) for each in addresses)


def test_the_edge_of_this_host_comes_first(tmp_path: Path) -> None:
    near = settings(tmp_path, hosts=TWO_EDGES, host="gamma", routers=1)
    assert own_addresses(near)[:3] == ["192.168.0.3", "192.168.0.50", "203.0.113.3"]
    assert SourceAddresses(near)("192.168.0.9") == "192.168.0.3"
    assert SourceAddresses(near)("10.2.3.4") == "10.0.0.1"


def test_a_shared_address_is_that_of_the_first_host_wherever_it_is_now(tmp_path: Path) -> None:
    near = settings(tmp_path, hosts=TWO_EDGES, host="gamma", routers=1)
    assert edges_by_address(near)[packed_address("192.168.0.50")] == (0, 1)
    assert own_domains(near, {0}).may_send_from("192.168.0.50", 5060)


def test_one_advertised_address_is_not_for_several_edges(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"set hosts\.NAME\.advertise"):
        settings(tmp_path, hosts=TWO_EDGES, host="beta", routers=1, advertise="203.0.113.9")
