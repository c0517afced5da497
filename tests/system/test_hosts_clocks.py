"""Two hosts whose clocks differ by hours: the registrar and the journal are on one, the routers on the other."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from system.dialog import hang_up, place_call
from system.harness import wait_until
from system.hosts import ALPHA, BETA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.sip_transactions import ServerTransaction
from system.tools import require_root, require_tools
from system.user_agent import UserAgent, registered
from system.wall_clock import WallClock

pytestmark = pytest.mark.system

COMPONENTS = {ALPHA: ("edge", "translator", "registrar", "journal"), BETA: ("router",)}


def dial(caller: UserAgent, callee: UserAgent) -> int:
    """Call somebody who is busy; return what the caller is told."""
    invite = caller.invite(callee.aor)
    incoming = caller.net.wait_for(
        lambda: callee.take("INVITE") or max(invite.statuses(), default=0) >= 300, "an answer"
    )
    if isinstance(incoming, ServerTransaction):
        incoming.reply(486)
        invite.expect(486)
    return invite.statuses()[-1]


@pytest.mark.parametrize("ahead_s", [19_800, -19_800])
def test_registrations_last_as_long_and_records_show_the_journals_time(tmp_path: Path, ahead_s: int) -> None:
    require_root()
    require_tools("ip")
    clock = WallClock(tmp_path)
    clock.set(ahead_s)
    with (
        Lan([ALPHA, BETA, PHONES], servers=[ALPHA, BETA]) as lan,
        Hosts(lan, 2, COMPONENTS, of_host={BETA: clock.environment}) as hosts,
        lan.entered(PHONES),
        Net(hosts.address, retransmits=True) as net,
    ):
        caller, callee, other = (registered(net, name) for name in ("kristian", "lukas", "lenka"))
        hosts.kill(BETA, "router")
        call = place_call(caller, callee)
        hang_up(call.callee, call.caller)
        record = hosts.boards[ALPHA].wait_record(call.call_id)
        age = datetime.now(UTC) - datetime.fromisoformat(record["started_at"])
        assert timedelta(0) <= age < timedelta(seconds=60)
        assert record["outcome"] == "answered"
        brief = UserAgent(net, "brief")
        brief.register(expires=3).expect(200)
        assert dial(other, brief) == 486
        wait_until(lambda: dial(other, brief) == 480, "the end of the registration")
        assert not brief.bindings()
