"""Real Linphone phones at two edges: a call between them outlives the host of one edge."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from system.hosts import ALPHA, BETA, GAMMA, TWO_EDGES, Hosts
from system.lan import Lan
from system.linphone import Linphone
from system.phone_lab import connect
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

RING_S = 30


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip", "linphonec")
    servers = [ALPHA, BETA, GAMMA]
    with Lan([*servers, "lukas", "lenka"], servers=servers) as lan, Hosts(lan, 2, TWO_EDGES) as running:
        yield running


def test_a_call_outlives_the_host_of_its_callers_edge(hosts: Hosts, tmp_path: Path) -> None:
    with ExitStack() as stack:
        lukas, lenka = (
            stack.enter_context(
                Linphone(hosts.lan, user, tmp_path / user, domain=hosts.lan.addresses[host], ring_s=RING_S)
            )
            for user, host in (("lukas", ALPHA), ("lenka", GAMMA))
        )
        ours, theirs = connect(lukas, lenka)
        lukas.pause(ours)
        lenka.wait_paused(theirs)
        lukas.resume(ours)
        lenka.wait_media(theirs)
        hosts.boards[ALPHA].lose_power()
        hosts.wait_missed(BETA, ("router.0", "router.1"), "edge-tx.0")
        lenka.pause(theirs)
        lukas.wait_paused(ours)
        lenka.resume(theirs)
        lukas.wait_media(ours)
        lenka.hang_up(theirs)
        lukas.wait_ended(ours)
        record = hosts.boards[BETA].wait_cdr(1)[0]
        assert (record["outcome"], record["ended_by"]) == ("answered", "callee")
