"""Two hosts that know each other by names: one of them comes to have another address."""

from collections.abc import Iterator

import pytest
from system.harness import START_S, wait_until
from system.hosts import ALPHA, BETA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.tools import require_root, require_tools
from system.user_agent import UserAgent

pytestmark = pytest.mark.system

MOVED = "10.78.0.99"
ANSWER_S = 0.5


def tell(lan: Lan, **addresses: str) -> None:
    """What names lead to."""
    for host in (ALPHA, BETA):
        lan.name(host, {f"{name}.lan": address for name, address in (lan.backbone | addresses).items()})


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    with Lan([ALPHA, BETA, PHONES], servers=[ALPHA, BETA]) as lan:
        tell(lan)
        with Hosts(lan, 1, named=True) as running, lan.entered(PHONES):
            yield running


def registers(hosts: Hosts) -> bool:
    """Whether a phone that tries is answered by the registrar on beta."""
    with Net(hosts.address) as net:
        asked = UserAgent(net, "lukas").register()
        net.poll(lambda: 200 in asked.statuses(), ANSWER_S)
        return 200 in asked.statuses()


def test_a_host_that_moves_is_found_again(hosts: Hosts) -> None:
    wait_until(lambda: registers(hosts), "an answer to REGISTER", START_S)
    lan = hosts.lan
    lan.configure(BETA, f"address delete {lan.backbone[BETA]}/24 dev eth1")
    lan.configure(BETA, f"address add {MOVED}/24 dev eth1")
    tell(lan, **{BETA: MOVED})
    wait_until(lambda: not registers(hosts), "nobody at the old address", START_S)
    wait_until(lambda: registers(hosts), "an answer from the new address", START_S)
    said = hosts.status(ALPHA)
    assert {one["state"] for one in said.values()} == {"up"}
