"""Two hosts with an edge each: a phone at the one calls a phone at the other, and one of the hosts dies."""

from collections.abc import Iterator

import pytest
from system.dialog import Call, hang_up, place_call
from system.hosts import ALPHA, BETA, GAMMA, PHONES, PORT, TWO_EDGES, Hosts
from system.lan import Lan
from system.net import Net
from system.sipmsg import Address, address_of, uri_in
from system.tools import require_root, require_tools
from system.user_agent import UserAgent

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    with (
        Lan([ALPHA, BETA, GAMMA, PHONES], servers=[ALPHA, BETA, GAMMA]) as lan,
        Hosts(lan, 2, TWO_EDGES) as running,
        lan.entered(PHONES),
    ):
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
