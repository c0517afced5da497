"""Real Linphone phones on two hosts: a call outlives a cut link, a ringing one the deaths of workers."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from system.hosts import ALPHA, BETA, Hosts
from system.lan import Lan
from system.linphone import Linphone
from system.phone_lab import connect, place_call
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

CUT_S = 5.0
RING_S = 30
"""A Linphone refuses a call by itself that rings for so long."""


@dataclass(frozen=True)
class Phones:
    """Two phones that are registered, and the hosts of their switchboard."""

    hosts: Hosts
    lukas: Linphone
    lenka: Linphone

    def last_record(self, count: int) -> dict[str, object]:
        """The newest of so many records, as soon as it is there."""
        return self.hosts.boards[BETA].wait_cdr(count)[-1]


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    require_root()
    require_tools("ip", "linphonec")
    home = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan([ALPHA, BETA, "lukas", "lenka"], servers=[ALPHA, BETA]))
        hosts = stack.enter_context(Hosts(lan))
        domain, _ = hosts.address
        lukas, lenka = (
            stack.enter_context(Linphone(lan, user, home / user, domain=domain, ring_s=RING_S))
            for user in ("lukas", "lenka")
        )
        yield Phones(hosts, lukas, lenka)


def cut_link(hosts: Hosts) -> None:
    """Nothing passes between the hosts for CUT_S."""
    until = time.monotonic() + CUT_S
    hosts.lan.cut(BETA)
    while time.monotonic() < until:
        assert hosts.boards[ALPHA].cli("status", check=False).returncode == 1
    hosts.lan.mend(BETA)


def test_a_call_outlives_a_cut_link(phones: Phones) -> None:
    before = len(phones.hosts.boards[BETA].cdr())
    ours, theirs = connect(phones.lukas, phones.lenka)
    cut_link(phones.hosts)
    phones.lukas.pause(ours)
    phones.lenka.wait_paused(theirs)
    phones.lukas.resume(ours)
    phones.lenka.wait_media(theirs)
    phones.lenka.hang_up(theirs)
    phones.lukas.wait_ended(ours)
    record = phones.last_record(before + 1)
    assert (record["outcome"], record["ended_by"]) == ("answered", "callee")


def test_a_ringing_call_outlives_the_deaths_of_its_workers(phones: Phones) -> None:
    before = len(phones.hosts.boards[BETA].cdr())
    ours, theirs = place_call(phones.lukas, phones.lenka)
    old = phones.hosts.status(ALPHA)
    for host, name in ((BETA, "router"), (BETA, "registrar"), (ALPHA, "edge-rx"), (ALPHA, "translator")):
        phones.hosts.kill(host, name)
    phones.hosts.wait_replaced(old, ("router.0", "registrar.0", "edge-rx.0", "translator.0"))
    phones.lenka.answer(theirs)
    phones.lukas.wait_media(ours)
    phones.lukas.hang_up(ours)
    phones.lenka.wait_ended(theirs)
    record = phones.last_record(before + 1)
    assert (record["outcome"], record["ended_by"]) == ("answered", "caller")
