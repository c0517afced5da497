"""Two hosts with an edge each: a phone at the one calls a phone at the other, and one of the hosts dies."""

from collections.abc import Iterator

import pytest
from system.dialog import Call, hang_up, place_call
from system.harness import START_S, wait_until
from system.hosts import ALPHA, BETA, GAMMA, PHONES, PORT, TWO_EDGES, Hosts
from system.lan import NETWORK, Lan
from system.net import Net
from system.sipmsg import Address, address_of, uri_in
from system.stream_agent import StreamAgent
from system.tools import require_root, require_tools
from system.user_agent import UserAgent

pytestmark = pytest.mark.system

SHARED = f"{NETWORK}.50"
"""As keepalived gives it to the first host that is there."""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    with (
        Lan([ALPHA, BETA, GAMMA, PHONES], servers=[ALPHA, BETA, GAMMA]) as lan,
        Hosts(lan, 2, TWO_EDGES, shared=SHARED) as running,
        lan.entered(PHONES),
    ):
        lan.configure(ALPHA, f"address add {SHARED}/24 dev eth0")
        yield running


@pytest.fixture
def net(hosts: Hosts) -> Iterator[Net]:
    with Net(hosts.address) as made:
        yield made


def edge(hosts: Hosts, name: str) -> Address:
    return hosts.lan.addresses[name], PORT


def phone_at(hosts: Hosts, net: Net, name: str, host: str) -> UserAgent:
    """A phone that knows the edge of this host, and has registered there."""
    phone = UserAgent(net, name, proxy=edge(hosts, host))
    phone.register().expect(200)
    return phone


def routes_of(call: Call) -> list[Address]:
    return [address_of(uri_in(route)) for route in call.caller.routes]


@pytest.mark.parametrize(("of_caller", "of_callee"), [(ALPHA, GAMMA), (GAMMA, ALPHA), (GAMMA, GAMMA)])
def test_a_call_goes_through_both_edges(hosts: Hosts, net: Net, of_caller: str, of_callee: str) -> None:
    """Whichever router has it: Record-Route names both edges, and each side hears its own."""
    callee = phone_at(hosts, net, "lukas", of_callee)
    caller = phone_at(hosts, net, "eva", of_caller)
    for number in range(4):  # the Call-ID chooses among the routers
        call = place_call(caller, callee)
        assert routes_of(call) == list(dict.fromkeys((edge(hosts, of_caller), edge(hosts, of_callee))))
        assert call.callee.next_hop == edge(hosts, of_callee)
        again = call.callee.start("INVITE")
        incoming = call.caller.expect("INVITE")
        assert incoming.request.source == edge(hosts, of_caller)
        incoming.reply(200)
        again.expect(200)
        call.callee.acknowledge()
        call.caller.expect("ACK")
        sides = (call.caller, call.callee) if number % 2 else (call.callee, call.caller)
        hang_up(*sides)


def test_what_passes_between_the_edges_beside_calls(hosts: Hosts, net: Net) -> None:
    callee = phone_at(hosts, net, "lukas", GAMMA)
    caller = phone_at(hosts, net, "eva", ALPHA)
    for number in range(4):
        text = caller.ask("MESSAGE", callee.aor, body=b"%d" % number)
        incoming = callee.expect("MESSAGE")
        assert incoming.request.source == edge(hosts, GAMMA)
        incoming.reply(200)
        text.expect(200)
        invite = caller.invite(callee.aor)
        ringing = callee.expect("INVITE")
        ringing.reply(180)
        invite.expect(180)
        cancel = caller.cancel(invite)
        cancel.expect(200)
        callee.expect("CANCEL").reply(200)
        ringing.reply(487)
        invite.expect(487)


def test_a_phone_over_tcp_at_one_edge_talks_to_one_at_the_other(hosts: Hosts, net: Net) -> None:
    callee, caller = (
        StreamAgent(net, name, proxy=edge(hosts, host)) for name, host in (("lukas", GAMMA), ("eva", ALPHA))
    )
    for phone in (callee, caller):
        phone.register().expect(200)
    for number in range(4):
        call = place_call(caller, callee)
        sides = (call.caller, call.callee) if number % 2 else (call.callee, call.caller)
        hang_up(*sides)


def test_a_host_with_an_edge_dies_and_comes_back(hosts: Hosts, net: Net) -> None:
    """Who was there goes to the other edge with what it has of its dialogs, and is called there.

    Who knows a shared address notices nothing.
    """
    peter = UserAgent(net, "peter", proxy=(SHARED, PORT))
    peter.register().expect(200)
    caller = phone_at(hosts, net, "eva", ALPHA)
    callee = phone_at(hosts, net, "lukas", GAMMA)
    calls = [place_call(caller, callee) for _ in range(3)]
    over_tcp = StreamAgent(net, "otto", proxy=edge(hosts, ALPHA))
    over_tcp.register().expect(200)
    connected = [place_call(over_tcp, callee) for _ in range(2)]
    shared = [place_call(peter, callee) for _ in range(2)]
    assert routes_of(shared[0]) == [(SHARED, PORT), edge(hosts, GAMMA)]
    hosts.boards[ALPHA].lose_power()
    hosts.lan.configure(ALPHA, f"address delete {SHARED}/24 dev eth0")
    hosts.lan.configure(GAMMA, f"address add {SHARED}/24 dev eth0")
    hosts.lan.configure(PHONES, "neighbour flush dev eth0")
    hosts.wait_missed(BETA, ("router.0", "router.1"), "edge-tx.0", "edge-stream.0")
    callee.invite(over_tcp.aor).expect(480)
    connected[0].callee.start("INFO").expect(430)
    over_tcp.close()
    over_tcp.proxy = edge(hosts, GAMMA)
    over_tcp.come_back()
    hang_up(connected[0].caller, connected[0].callee)
    bye = connected[1].callee.start("BYE")
    over_tcp.expect("BYE").reply(200)
    bye.expect(200)
    again = calls[0].callee.start("INVITE")
    incoming = calls[0].caller.expect("INVITE")
    assert incoming.request.source == edge(hosts, GAMMA)
    incoming.reply(200)
    again.expect(200)
    calls[0].callee.acknowledge()
    calls[0].caller.expect("ACK")
    hang_up(calls[0].callee, calls[0].caller)
    for call in calls[1:]:
        call.caller.outbound = edge(hosts, GAMMA)
        hang_up(call.caller, call.callee)
    hang_up(shared[0].caller, shared[0].callee)
    assert hang_up(shared[1].callee, shared[1].caller).source == (SHARED, PORT)
    call = place_call(callee, peter)
    hang_up(call.callee, call.caller)
    caller.proxy = edge(hosts, GAMMA)
    caller.register().expect(200)
    call = place_call(callee, caller, f"sip:{caller.user}@{hosts.lan.addresses[ALPHA]}")
    assert routes_of(call) == [edge(hosts, GAMMA)]
    hang_up(call.caller, call.callee)
    hosts.boards[ALPHA].start()
    wait_until(lambda: all(one["state"] == "up" for one in hosts.status(BETA).values()), "all up", START_S)
    caller.proxy = edge(hosts, ALPHA)
    caller.register().expect(200)

    def is_back() -> bool:
        call = place_call(caller, callee)
        hang_up(call.caller, call.callee)
        return routes_of(call) == [edge(hosts, ALPHA), edge(hosts, GAMMA)]

    wait_until(is_back, "a call through the edge that is back", START_S)
    over_tcp.close()
