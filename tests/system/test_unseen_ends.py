"""How the journal judges an end: by the answer to BYE, and without any BYE."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.dialog import hang_up, place_call
from system.harness import CallRecord, Switchboard, wait_until
from system.net import Net
from system.sipp import Sipp
from system.tools import require_tools
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

CALLS = 5
CALL_S = 30.0
GIVEN_UP_S = 60.0
"""Within this a call has its record whose wait is over; nothing is given up sooner than after 32 s."""


@pytest.fixture
def hasty() -> Iterator[Switchboard]:
    """It waits 1.3 s for an ACK, and not long for a BYE."""
    with Switchboard({"SWITCHBOARD_T1_S": "0.02", "SWITCHBOARD_MAX_CALL_S": "1"}) as switchboard:
        yield switchboard


def open_calls(switchboard: Switchboard) -> dict[str, CallRecord]:
    calls = json.loads(switchboard.cli("calls", "--json").stdout)["calls"]
    return {call["call_id"]: call for call in calls}


def explanation(switchboard: Switchboard, call_id: str) -> str:
    """What is said of the call; nothing while the history, which is written a little later, has none of it."""
    return switchboard.cli("explain", call_id, check=False).stdout


@pytest.mark.parametrize("status", [403, 407, 500])
def test_a_bye_that_is_refused_ends_nothing(switchboard: Switchboard, net: Net, status: int) -> None:
    call = place_call(registered(net, "zofia"), registered(net, "lukas"))
    bye = call.caller.start("BYE")
    call.callee.expect("BYE").reply(status, "Refused", routes=False)
    bye.expect(status)
    wait_until(
        lambda: "may still be up at the phones" in explanation(switchboard, call.call_id),
        "an explanation",
    )
    assert open_calls(switchboard)[call.call_id]["state"] == "up"
    hang_up(call.callee, call.caller)
    record = switchboard.wait_record(call.call_id)
    assert (record["outcome"], record["ended_by"]) == ("answered", "callee")


def test_a_bye_for_a_call_that_is_gone_ends_it(switchboard: Switchboard, net: Net) -> None:
    call = place_call(registered(net, "zofia"), registered(net, "lukas"))
    bye = call.caller.start("BYE")
    call.callee.expect("BYE").reply(481, "Gone", routes=False)
    bye.expect(481)
    assert switchboard.wait_record(call.call_id)["ended_by"] == "caller"


def test_callers_that_ignore_record_route(hasty: Switchboard, tmp_path: Path) -> None:
    require_tools("sipp")
    with Net(hasty.address) as net, Sipp("callee", tmp_path, hasty.address, "-m", str(CALLS)) as answering:
        host, port = answering.address
        callee = UserAgent(net, "callee")
        callee.register([f"<sip:callee@{host}:{port}>"]).expect(200)
        to_callee = ["-key", "callee_host", host, "-key", "callee_port", str(port)]
        options = ["-s", callee.user, "-m", str(CALLS), *to_callee]
        with Sipp("caller_past", tmp_path, hasty.address, *options) as calling:
            assert calling.wait(CALL_S) == 0, calling.errors()
        assert answering.wait(CALL_S) == 0, answering.errors()
    wait_until(
        lambda: hasty.cli("calls").stdout.count("up, its end may not be seen") == CALLS,
        "calls whose ACK did not come",
    )
    records = hasty.wait_cdr(CALLS, GIVEN_UP_S)
    assert {(record["outcome"], record["ended_by"], record["duration_s"]) for record in records} == {
        ("answered", "unseen", 0.0)
    }
    assert hasty.cli("cdr").stdout.count("its end was not seen") == CALLS
