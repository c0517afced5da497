"""A switchboard behind static address translation, as in a cloud: phones inside and outside call each other."""

import subprocess
from collections.abc import Iterator

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard
from system.lan import Lan
from system.net import Net
from system.tools import require_root, require_tools
from system.user_agent import UserAgent

pytestmark = pytest.mark.system

SERVER, INSIDE, OUTSIDE, HUB = "server", "inside", "outside", "hub"
PUBLIC = "203.0.113.5"
STREET, GATEWAY, CABIN = "198.51.100.0/24", "198.51.100.1", "198.51.100.7"
PORT = 5060
TRANSLATION = """
add table ip cloud
add chain ip cloud in {{ type nat hook prerouting priority dstnat; }}
add chain ip cloud out {{ type nat hook postrouting priority srcnat; }}
add rule ip cloud in ip daddr {public} dnat to {server}
add rule ip cloud out ip saddr {server} ip daddr {street} snat to {public}
"""


def told(lan: Lan, host: str, *words: str, text: str = "") -> None:
    subprocess.run(lan.command(host, *words), input=text, text=True, check=True, capture_output=True)


@pytest.fixture
def lan() -> Iterator[Lan]:
    """The hub translates: who is outside reaches the server at its public address only."""
    require_root()
    require_tools("ip", "nft", "sysctl")
    with Lan([SERVER, INSIDE, OUTSIDE]) as made:
        made.configure(HUB, f"address add {GATEWAY}/24 dev br0")
        made.configure(OUTSIDE, "address flush dev eth0")
        made.configure(OUTSIDE, f"address add {CABIN}/24 dev eth0")
        made.configure(OUTSIDE, f"route add default via {GATEWAY}")
        told(made, HUB, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rules = TRANSLATION.format(public=PUBLIC, server=made.addresses[SERVER], street=STREET)
        told(made, HUB, "nft", "-f", "-", text=rules)
        yield made


@pytest.fixture(params=["", "1"], ids=["compiled", "pure"])
def switchboard(lan: Lan, request: pytest.FixtureRequest) -> Iterator[Switchboard]:
    settings = {
        "SWITCHBOARD_ADVERTISE": PUBLIC,
        "SWITCHBOARD_SIP_HOST": "",
        "SWITCHBOARD_PURE": request.param,
    }
    at = lan.addresses[SERVER]
    with Switchboard(settings, host=at, port=PORT, namespace=lan.namespace(SERVER)) as running:
        yield running


@pytest.fixture
def phones(lan: Lan, switchboard: Switchboard) -> Iterator[dict[str, UserAgent]]:
    """One inside and one outside, registered."""
    with Net(switchboard.address) as net:
        found = {}
        for host, own, proxy in (
            (INSIDE, lan.addresses[INSIDE], switchboard.address),
            (OUTSIDE, CABIN, (PUBLIC, PORT)),
        ):
            with lan.entered(host):
                found[host] = UserAgent(net, host, own, proxy)
            found[host].register().expect(200)
        yield found


@pytest.mark.parametrize(("calling", "called"), [(INSIDE, OUTSIDE), (OUTSIDE, INSIDE)])
def test_each_is_shown_the_address_that_it_reaches(
    phones: dict[str, UserAgent], switchboard: Switchboard, calling: str, called: str
) -> None:
    """ACK and BYE go where Record-Route leads, and the phones are strict about it."""
    seen = {INSIDE: switchboard.host, OUTSIDE: PUBLIC}
    caller, callee = phones[calling], phones[called]
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    assert f" {seen[called]}:{PORT};" in incoming.request.values("via")[0]
    call = answer_call(caller, invite, callee, incoming)
    assert call.caller.next_hop == (seen[calling], PORT)
    assert call.callee.next_hop == (seen[called], PORT)
    hang_up(*((call.callee, call.caller) if calling == INSIDE else (call.caller, call.callee)))
    assert switchboard.wait_record(call.call_id)["outcome"] == "answered"
