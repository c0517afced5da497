"""Two machines with a whole switchboard each: one dies, and its address goes to the other (as keepalived does it)."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_server import redis_server
from system.dialog import hang_up, place_call
from system.harness import Switchboard, wait_until
from system.lan import NETWORK, Lan
from system.net import Net
from system.tools import require_root, require_tools
from system.user_agent import registered

pytestmark = pytest.mark.system

ONE, TWO, PHONES = "one", "two", "phones"
SHARED = f"{NETWORK}.50"
"""The address that phones know. Each machine listens there, whether it has it now or not."""
PORT = 5060


@pytest.fixture
def lan() -> Iterator[Lan]:
    require_root()
    require_tools("ip", "sysctl", "redis-server")
    with Lan([ONE, TWO, PHONES]) as made:
        for machine in (ONE, TWO):
            command = made.command(machine, "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1")
            subprocess.run(command, check=True)
        made.configure(ONE, f"address add {SHARED}/24 dev eth0")
        yield made


def board(lan: Lan, machine: str, location: str) -> Switchboard:
    settings = {"SWITCHBOARD_LOCATION": location, "SWITCHBOARD_SIP_HOST": SHARED}
    return Switchboard(settings, host=SHARED, port=PORT, namespace=lan.namespace(machine))


def is_bound(switchboard: Switchboard, user: str) -> bool:
    return user in switchboard.cli("bindings", "--json").stdout


@pytest.fixture
def location(tmp_path: Path) -> Iterator[str]:
    """A Redis server that both machines reach: by a file, since neither has its network."""
    socket = tmp_path / "socket"
    with redis_server(tmp_path / "redis", "--unixsocket", str(socket)):
        yield f"unix://{socket}"


def test_a_machine_dies_and_the_other_takes_its_address(lan: Lan, location: str) -> None:
    """A call that is up goes on, and who registered at the one is called by the other."""
    one, two = (board(lan, machine, location) for machine in (ONE, TWO))
    with one:
        two.data_dir.mkdir(parents=True)
        shutil.copy(one.data_dir / "auth.key", two.data_dir)
        with two, lan.entered(PHONES), Net((SHARED, PORT)) as net:
            caller, callee = registered(net, "eva"), registered(net, "lukas")
            call = place_call(caller, callee)
            wait_until(lambda: is_bound(two, callee.user), "what the other machine knows")
            lan.configure(ONE, "link set eth0 down")
            lan.configure(TWO, f"address add {SHARED}/24 dev eth0")
            lan.configure(PHONES, "neighbour flush dev eth0")
            hang_up(call.callee, call.caller)
            call = place_call(caller, callee)
            hang_up(call.caller, call.callee)
            assert two.wait_record(call.call_id)["outcome"] == "answered"
