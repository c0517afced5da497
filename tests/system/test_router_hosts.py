"""Routers on hosts of their own: one is added, drained, stopped, cut off, while calls ring and are up."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from system.dialog import Call, hang_up, place_call
from system.harness import START_S, wait_until
from system.hosts import ALPHA, BETA, GAMMA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.test_routers import T1_S, Ringing
from system.tools import require_root, require_tools
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

ONE = {ALPHA: ("edge", "translator", "registrar", "journal"), BETA: ("router.0",)}
TWO = {**ONE, GAMMA: ("router.1",)}
CALLS = 8
"""So many that each of two routers gets some, nearly always."""
OVER_S = 64 * T1_S + 30.0
_ROUTER = re.compile(r"branch=z9hG4bKsb([0-9]+)\.")


@dataclass
class Site:
    """Three hosts, and phones, each with a name of its own."""

    hosts: Hosts
    net: Net
    ringing: list[Ringing] = field(default_factory=list)
    up: list[Call] = field(default_factory=list)
    _phones: int = 0

    def ring(self, number: int = CALLS) -> list[Ringing]:
        self._phones += number
        return [Ringing.begin(self.net, self._phones - each) for each in range(number)]

    def phone(self) -> UserAgent:
        self._phones += 1
        return registered(self.net, f"phone{self._phones}")

    def place(self, number: int = CALLS) -> list[Call]:
        return [place_call(self.phone(), self.phone()) for _ in range(number)]

    def routers(self) -> set[int]:
        """Those that get new calls."""
        calls = self.ring()
        found = {router_of(call) for call in calls}
        for call in calls:
            call.answer()
        return found

    def notes(self, worker: str) -> str:
        return str(self.hosts.status(ALPHA)[worker].get("notes", ""))

    def wait_note(self, worker: str, wanted: Callable[[str], bool], what: str) -> None:
        wait_until(lambda: wanted(self.notes(worker)), what, OVER_S)


def router_of(call: Ringing) -> int:
    found = _ROUTER.search(call.incoming.request.get("via"))
    assert found is not None
    return int(found[1])


def hang_up_all(calls: list[Call]) -> None:
    for call in calls:
        hang_up(call.caller, call.callee)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A host with a second router came while calls rang and were up, as docs/HOSTS.md tells."""
    require_root()
    require_tools("ip")
    settings = {"SWITCHBOARD_T1_S": str(T1_S)}
    with (
        Lan([ALPHA, BETA, GAMMA, PHONES], servers=[ALPHA, BETA, GAMMA]) as lan,
        Hosts(lan, 1, ONE, settings) as hosts,
        lan.entered(PHONES),
        Net(hosts.address, retransmits=True) as net,
    ):
        made = Site(hosts, net)
        made.ringing, made.up = made.ring(), made.place()
        hosts.spread(2, TWO)
        hosts.start(GAMMA)
        wait_until(lambda: hosts.status(GAMMA)["router.1"]["state"] == "up", "gamma up", START_S)
        hosts.boards[ALPHA].cli("restart", "--all")
        yield made


def test_what_rang_and_was_up_when_a_host_was_added_goes_on(site: Site) -> None:
    outcomes = {call.invite.request.call_id: call.ways[n % 3]() for n, call in enumerate(site.ringing)}
    hang_up_all(site.up)
    outcomes |= dict.fromkeys((call.call_id for call in site.up), "answered")
    records = {one["call_id"]: one["outcome"] for one in site.hosts.boards[ALPHA].wait_cdr(2 * CALLS, OVER_S)}
    assert records == outcomes
    wait_until(lambda: site.routers() == {0, 1}, "calls at both", OVER_S)


def test_one_that_is_drained_ends_what_it_has_and_may_be_stopped(site: Site) -> None:
    ringing, up = site.ring(), site.place()
    while {router_of(call) for call in ringing} != {0, 1}:
        ringing += site.ring(1)
    site.hosts.boards[BETA].cli("router", "drain", "1")
    site.wait_note("edge-rx.0", lambda notes: "router.1 is drained" in notes, "what the edge knows")
    wait_until(lambda: site.routers() == {0}, "calls at the other one only", OVER_S)
    for call in ringing:
        call.repeat_and_answer()
    site.wait_note("router.1", lambda notes: "it may be stopped" in notes, "the end of its transactions")
    site.hosts.boards[GAMMA].stop()
    hang_up_all(up)
    site.hosts.boards[GAMMA].start()
    site.wait_note("router.1", lambda notes: "drained" in notes, "that it remembers")
    site.hosts.boards[GAMMA].cli("router", "undrain", "1")
    wait_until(lambda: site.routers() == {0, 1}, "calls at both", OVER_S)


def test_calls_go_on_without_a_host_that_says_nothing_any_more(site: Site) -> None:
    """Those that are up; and those that begin before anybody can know: their INVITEs are repeated."""
    up = site.place()
    site.hosts.lan.cut(GAMMA)
    try:
        pairs = [(site.phone(), site.phone()) for _ in range(CALLS)]
        invites = [(caller, caller.invite(callee.aor), callee) for caller, callee in pairs]
        for caller, invite, callee in invites:
            incoming = callee.expect("INVITE", OVER_S)
            incoming.reply(180)
            invite.expect(180)
            Ringing(caller, invite, callee, incoming).answer()
        site.wait_note("edge-rx.0", lambda notes: "router.1 is away" in notes, "what the edge knows")
        hang_up_all(up[: CALLS // 2])
        assert site.routers() == {0}
    finally:
        site.hosts.lan.mend(GAMMA)
    wait_until(lambda: site.routers() == {0, 1}, "calls at both", OVER_S)
    hang_up_all(up[CALLS // 2 :])
