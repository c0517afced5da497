"""Calls over IPv6, and from one address family to the other."""

import socket
from collections.abc import Iterator

import pytest
from system.dialog import hang_up, place_call
from system.harness import Switchboard
from system.net import Net
from system.sipmsg import uri_in
from system.user_agent import UserAgent

pytestmark = pytest.mark.system

IPV4, IPV6 = "127.0.0.1", "::1"


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    """A switchboard at all addresses of the machine."""
    _require_ipv6()
    with Switchboard({"SWITCHBOARD_SIP_HOST": ""}) as running:
        yield running


def phone_at(net: Net, name: str, host: str) -> UserAgent:
    """A registered phone that knows the switchboard by the address of its own family."""
    phone = UserAgent(net, name, host, (host, net.proxy[1]))
    [binding] = phone.register().expect(200).values("contact")
    assert uri_in(binding) == phone.contact
    return phone


@pytest.mark.parametrize(("here", "there"), [(IPV6, IPV6), (IPV4, IPV6), (IPV6, IPV4), (IPV4, IPV4)])
@pytest.mark.parametrize("by", ["caller", "callee"])
def test_call(switchboard: Switchboard, net: Net, here: str, there: str, by: str) -> None:
    caller, callee = phone_at(net, "kristian", here), phone_at(net, "lukas", there)
    call = place_call(caller, callee, dialled=f"sip:{callee.user}@{caller.domain}")
    ends = (call.caller, call.callee)
    assert [dialog.next_hop[0] for dialog in ends] == [here, there]
    hang_up(*ends if by == "caller" else ends[::-1])
    assert switchboard.wait_record(call.call_id)["ended_by"] == by


def _require_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probing:
            probing.bind((IPV6, 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
