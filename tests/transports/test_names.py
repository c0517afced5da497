"""Names to hops (RFC 3263 §4): the hosts file, then a name server of our own."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from name_server import NEGATIVE_S, NameServer, name_server

from switchboard.core.commands import Lookup, NextHop
from switchboard.sip.flow import TCP, TLS, UDP
from switchboard.transports.desk import Found
from switchboard.transports.names import FAILURE_S, LIMIT_S, LONGEST_NEGATIVE_S, Names, read_hosts
from switchboard.transports.services import MOST

RECORDS = {
    ("_sip._udp.one.example.", "SRV"): ["0 0 5070 a.example."],
    ("_sip._udp.best.example.", "SRV"): ["20 9 5071 a.example.", "10 1 5072 a.example.", "10 5 5073 a.example."],
    ("_sip._udp.none.example.", "SRV"): ["0 0 0 ."],
    ("_sip._udp.here.example.", "SRV"): ["0 0 5074 localhost."],
    ("_sip._udp.lost.example.", "SRV"): ["0 0 5074 nowhere.example."],
    ("_sip._tcp.one.example.", "SRV"): ["0 0 5075 a.example."],
    ("_sips._tcp.one.example.", "SRV"): ["0 0 5076 a.example."],
    ("naptr.example.", "NAPTR"): [
        '20 1 "s" "SIP+D2U" "" _sip._udp.one.example.',
        '10 1 "s" "SIP+D2T" "" _sip._tcp.one.example.',
    ],
    ("_sip._udp.naptr.example.", "SRV"): ["0 0 5079 a.example."],
    ("_sip._udp.many.example.", "SRV"): [f"1 0 {5100 + number} a.example." for number in range(300)],
    ("_sip._udp.loop.example.", "SRV"): ["1 0 5060 circle.example."],
    ("circle.example.", "CNAME"): ["circle.example."],
    ("a.example.", "A"): ["192.0.2.1"],
    ("both.example.", "A"): ["192.0.2.2"],
    ("both.example.", "AAAA"): ["2001:db8::2"],
    ("phone.lan.example.", "A"): ["192.0.2.3"],
    ("host.broken.", "A"): ["192.0.2.4"],
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as server:
        server.records = RECORDS
        yield server


@pytest.fixture
def names(server: NameServer, tmp_path: Path) -> Names:
    (tmp_path / "hosts").write_text("192.0.2.9 Desk.example desk # mine\n2001:db8::9 desk\nnonsense x\n\n#\n")
    return Names(
        tmp_path / "hosts", server.settings(tmp_path, "search lan.example"), server.port, lambda: 0.5
    )


def hops_of(found: Found) -> list[tuple[str, int]]:
    return [(hop.host, hop.port) for service in found.services for hop in service.hops]


def find(names: Names, host: str, port: int | None = None) -> Found:
    return asyncio.run(names.find(Lookup(host, port)))


@pytest.mark.parametrize(
    ("host", "port", "hops"),
    [
        ("127.0.0.9", 5080, [("127.0.0.9", 5080)]),
        ("localhost", 5080, [("127.0.0.1", 5080), ("::1", 5080)]),
        ("a.localhost", None, [("127.0.0.1", 5060), ("::1", 5060)]),
        ("one.example", None, [("192.0.2.1", 5070), ("192.0.2.1", 5075)]),
        ("One.Example.", None, [("192.0.2.1", 5070), ("192.0.2.1", 5075)]),
        ("one.example", 5060, []),
        ("best.example", None, [("192.0.2.1", port) for port in (5073, 5072, 5071)]),
        ("none.example", None, []),
        ("here.example", None, [("127.0.0.1", 5074), ("::1", 5074)]),
        ("a.example", None, [("192.0.2.1", 5060)]),
        ("both.example", 5061, [("2001:db8::2", 5061), ("192.0.2.2", 5061)]),
        ("phone", None, [("192.0.2.3", 5060)]),
        ("desk", None, [("192.0.2.9", 5060), ("2001:db8::9", 5060)]),
        ("DESK.example.", 5062, [("192.0.2.9", 5062)]),
        ("a..b", None, []),
        ("x" * 64, None, []),
    ],
)
def test_find(names: Names, host: str, port: int | None, hops: list[tuple[str, int]]) -> None:
    """SRV only where no port is given: in the order of priority, and of weight and chance; else the default port."""
    assert hops_of(find(names, host, port)) == hops


@pytest.mark.parametrize(
    ("host", "transport", "port"),
    [
        ("one.example", TCP, 5075),
        ("one.example", TLS, 5076),
        ("a.example", TCP, 5060),
        ("a.example", TLS, 5061),
    ],
)
def test_each_transport_has_records_of_its_own(names: Names, host: str, transport: int, port: int) -> None:
    found = asyncio.run(names.find(Lookup(host, None, transport)))
    assert found.services[0].hops == (NextHop("192.0.2.1", port, transport),)


def test_naptr_decides_which_transport_comes_first(names: Names) -> None:
    """And the usual names of SRV records do not count any more."""
    found = asyncio.run(names.find(Lookup("naptr.example", None)))
    hops = [hop for service in found.services for hop in service.hops]
    assert hops == [NextHop("192.0.2.1", 5075, TCP), NextHop("192.0.2.1", 5070, UDP)]


def test_a_transport_that_the_uri_names_is_not_looked_for(names: Names, server: NameServer) -> None:
    found = asyncio.run(names.find(Lookup("naptr.example", None, UDP, is_named=True)))
    assert hops_of(found) == [("192.0.2.1", 5079)]
    assert not server.asked["naptr.example.", "NAPTR"]


def test_a_name_with_many_servers(names: Names) -> None:
    """More than a datagram holds: the rest comes over TCP, where there is one; here it is cut."""
    hops = hops_of(find(names, "many.example"))
    assert len(hops) == len(set(hops)) <= MOST


def test_name_servers_may_be_forbidden_to_name_private_addresses(server: NameServer, tmp_path: Path) -> None:
    """Not so the hosts file, which is the operator's."""
    server.records = {("inside.example.", "A"): ["192.168.1.7", "93.184.215.14"]}
    (tmp_path / "hosts").write_text("192.168.1.9 desk\n")
    settings = tmp_path / "hosts", server.settings(tmp_path), server.port
    for may_be_private, expected in ((True, {"192.168.1.7", "93.184.215.14"}), (False, {"93.184.215.14"})):
        names = Names(*settings, may_be_private=may_be_private)
        assert {host for host, _ in hops_of(find(names, "inside.example"))} == expected
        assert hops_of(find(names, "desk")) == [("192.168.1.9", 5060)]


def test_a_circle_leads_nowhere(names: Names) -> None:
    assert hops_of(find(names, "loop.example")) == []


@pytest.mark.parametrize(
    ("host", "lasts_s", "is_answered"),
    [
        ("one.example", NEGATIVE_S, True),
        ("a.example", NEGATIVE_S, True),  # there is no SRV or NAPTR, which may change first
        ("nowhere.example", NEGATIVE_S, True),
        ("none.example", NEGATIVE_S, True),
        ("lost.example", NEGATIVE_S, True),
        ("desk", 0.0, True),
        ("a..b", LONGEST_NEGATIVE_S, True),
        ("x.broken", FAILURE_S, False),
    ],
)
def test_how_long_it_holds(names: Names, host: str, lasts_s: float, is_answered: bool) -> None:
    found = find(names, host)
    assert (found.lasts_s, found.is_answered) == (lasts_s, is_answered)


def test_what_the_hosts_file_knows_is_not_asked_for(names: Names, server: NameServer) -> None:
    find(names, "desk")
    find(names, "localhost")
    assert not server.asked


def test_the_hosts_file_is_read_again_when_it_changes(names: Names, tmp_path: Path) -> None:
    assert hops_of(find(names, "new.example")) == []
    (tmp_path / "hosts").write_text("192.0.2.7 new.example\n")
    assert hops_of(find(names, "new.example")) == [("192.0.2.7", 5060)]


def test_a_server_that_is_silent_has_its_limit(names: Names) -> None:
    """Many at once take no longer than one."""

    async def find_many() -> list[Found]:
        return await asyncio.gather(*(names.find(Lookup(f"n{number}.silent", None)) for number in range(20)))

    began_at = time.monotonic()
    found = asyncio.run(find_many())
    assert time.monotonic() - began_at < LIMIT_S + 1
    assert found == [Found((), FAILURE_S, is_answered=False)] * 20


def test_a_second_server_is_asked(names: Names, tmp_path: Path) -> None:
    """The first one does not listen, which the kernel tells."""
    text = (tmp_path / "resolv.conf").read_text()
    (tmp_path / "resolv.conf").write_text(f"nameserver 127.0.0.77\n{text}")
    assert hops_of(find(names, "a.example", 5060)) == [("192.0.2.1", 5060)]


@pytest.mark.parametrize("text", [None, "", "nameserver nonsense\n", "\x00\xff"])
def test_without_servers_nobody_answers(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "resolv.conf").write_text(text)
    with name_server() as server:
        port = server.port
    names = Names(tmp_path / "hosts", tmp_path / "resolv.conf", port)
    assert not find(names, "a.example", 5060).is_answered


def test_hosts(tmp_path: Path) -> None:
    assert read_hosts(tmp_path / "none") == {}
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n10.1 short\n1.2.3.4 \xff#x\n")
    assert read_hosts(path) == {
        "localhost": ["127.0.0.1", "::1"],
        "ip6-localhost": ["::1"],
        "\ufffd": ["1.2.3.4"],
    }
