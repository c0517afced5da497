from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_interface

import pytest

from switchboard.doctor import network
from switchboard.doctor.facts import Level, NetworkCard, NetworkFacts, Taken

LOOPBACK = NetworkCard("lo", ip_interface("127.0.0.1/8"))
HOME = NetworkCard("eth0", ip_interface("192.168.1.10/24"))
GUESTS = NetworkCard("wlan0", ip_interface("10.0.0.5/24"))
PUBLIC = NetworkCard("eth1", ip_interface("8.8.8.8/24"))
SIX = NetworkCard("eth0", ip_interface("2001:db8::1/64"))
DOCKER = NetworkCard("docker0", ip_interface("172.17.0.1/16"))
PORTS = ["5060/udp", "5061/tcp"]
GOOD = NetworkFacts("", 5060, [LOOPBACK, HOME], {}, None, "", "", "", PORTS, None)


def levels(facts: NetworkFacts, edge_runs: bool = False) -> dict[str, Level]:
    return {each.check: each.level for each in network.check_network(facts, edge_runs)}


def test_all_is_well() -> None:
    assert set(levels(GOOD).values()) == {Level.OK}


@pytest.mark.parametrize(
    ("facts", "edge_runs", "level", "words"),
    [
        (GOOD, False, Level.OK, "free"),
        (GOOD, True, Level.OK, "held by this switchboard"),
        (replace(GOOD, taken=Taken(7, "asterisk")), False, Level.PROBLEM, "asterisk (pid 7)"),
        (replace(GOOD, taken=Taken(None, "")), False, Level.PROBLEM, "another process"),
        (replace(GOOD, bind_failure="cannot bind"), False, Level.PROBLEM, "cannot bind"),
    ],
)
def test_port(facts: NetworkFacts, edge_runs: bool, level: Level, words: str) -> None:
    found = network.check_port(facts, edge_runs)
    assert (found.level, words in found.found) == (level, True)
    assert bool(found.remedy) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("host", "port", "cards", "level", "words"),
    [
        ("", 5060, [LOOPBACK, HOME], Level.OK, "domain 192.168.1.10"),
        ("", 5070, [LOOPBACK, HOME, SIX], Level.OK, "192.168.1.10:5070 or [2001:db8::1]:5070"),
        ("192.168.1.10", 5060, [LOOPBACK, HOME], Level.OK, "192.168.1.10"),
        ("127.0.0.1", 5060, [LOOPBACK, HOME], Level.WARNING, "only phones on this machine"),
        ("", 5060, [LOOPBACK, DOCKER], Level.WARNING, "no address but its own"),
    ],
)
def test_addresses(host: str, port: int, cards: Sequence[NetworkCard], level: Level, words: str) -> None:
    found = network.check_addresses(replace(GOOD, host=host, port=port, cards=cards))
    assert (found.level, words in found.found) == (level, True)


@pytest.mark.parametrize(
    ("host", "cards", "expected"),
    [
        ("", [LOOPBACK], []),
        ("", [HOME], [("translation", Level.OK)]),
        ("", [HOME, GUESTS, SIX], [("networks", Level.OK), ("translation", Level.OK)]),
        ("10.0.0.5", [HOME, GUESTS], [("networks", Level.WARNING), ("translation", Level.OK)]),
        ("", [HOME, PUBLIC], [("networks", Level.OK)]),
        ("127.0.0.1", [HOME, GUESTS], []),
    ],
)
def test_networks(host: str, cards: Sequence[NetworkCard], expected: list[tuple[str, Level]]) -> None:
    found = network.check_networks(replace(GOOD, host=host, cards=cards))
    assert [(each.check, each.level) for each in found] == expected


@pytest.mark.parametrize(
    ("container", "cards", "expected"),
    [
        ("", [HOME], []),
        ("", [HOME, DOCKER], [Level.OK]),
        ("Docker", [HOME], [Level.WARNING]),
        ("Docker", [HOME, DOCKER], [Level.OK]),
    ],
    ids=["none", "the machine of containers", "inside of one", "inside of one, in the machine's network"],
)
def test_container(container: str, cards: Sequence[NetworkCard], expected: list[Level]) -> None:
    found = network.check_container(replace(GOOD, container=container, cards=cards))
    assert [each.level for each in found] == expected


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ({"a": ["192.168.1.10", "9.9.9.9"]}, [Level.OK]),
        ({"a": ["9.9.9.9"]}, [Level.WARNING]),
        ({"a": [], "b": ["192.168.1.10"]}, [Level.WARNING, Level.OK]),
    ],
)
def test_domains(domains: Mapping[str, Sequence[str]], expected: list[Level]) -> None:
    assert [each.level for each in network.check_domains(replace(GOOD, domains=domains))] == expected


@pytest.mark.parametrize(
    ("firewall", "unnamed", "level", "remedy"),
    [
        ("", None, Level.OK, ""),
        ("ufw", [], Level.OK, ""),
        ("ufw", PORTS, Level.WARNING, "ufw allow 5060/udp; ufw allow 5061/tcp"),
        ("ufw", ["5061/tcp"], Level.WARNING, "ufw allow 5061/tcp"),
        (
            "iptables",
            None,
            Level.WARNING,
            "iptables -I INPUT -p udp --dport 5060 -j ACCEPT; iptables -I INPUT -p tcp ",
        ),
        ("firewalld", ["5060/udp"], Level.WARNING, "--add-port=5060/udp; then firewall-cmd --reload"),
        (
            "nftables",
            PORTS,
            Level.WARNING,
            "udp dport 5060 accept; nft add rule inet filter input tcp dport 5061 accept",
        ),
    ],
)
def test_firewall(firewall: str, unnamed: list[str] | None, level: Level, remedy: str) -> None:
    """All ports that phones connect to, whatever the transport."""
    found = network.check_firewall(replace(GOOD, firewall=firewall, unnamed=unnamed))
    assert (found.level, remedy in found.remedy) == (level, True)
    assert firewall != "ufw" or found.remedy == remedy
