"""`switchboard lab call` through real processes."""

import json
import signal
from collections.abc import Iterator
from subprocess import Popen
from typing import Any

import pytest
from system.harness import Switchboard, wait_until
from system.net import Net
from system.user_agent import registered

pytestmark = pytest.mark.system
CALLER_SEES = [
    "REGISTER",
    "SIP/2.0 200 V poriadku",
    "INVITE",
    "SIP/2.0 100 Skúšanie",
    "SIP/2.0 180 Zvonenie",
    "SIP/2.0 200 V poriadku",
    "ACK",
    "BYE",
    "SIP/2.0 200 V poriadku",
    "REGISTER",
    "SIP/2.0 200 V poriadku",
]


@pytest.fixture(scope="module")
def asking() -> Iterator[Switchboard]:
    """It has no users, and wants passwords."""
    with Switchboard({"SWITCHBOARD_AUTH": "on"}) as running:
        yield running


def placed(switchboard: Switchboard, *options: str) -> Any:
    done = switchboard.cli("lab", "call", "--ring", "0", "--talk", "0", "--json", *options)
    return json.loads(done.stdout)


def lines(messages: list[dict[str, Any]], phone: str) -> list[str]:
    """What one phone sees: methods, and whole status lines."""
    seen = [each["line"] for each in messages if each["phone"] == phone]
    return [line if line.startswith("SIP/2.0") else line.partition(" ")[0] for line in seen]


def test_a_call_is_placed_and_leaves_nothing_behind() -> None:
    with Switchboard({"SWITCHBOARD_LANGUAGE": "sk"}) as switchboard:
        found = placed(switchboard)
        assert lines(found["messages"], "lab-anna") == CALLER_SEES
        record = switchboard.wait_record(found["call_id"])
        assert (record["outcome"], record["ended_by"]) == ("answered", "caller")
        assert json.loads(switchboard.cli("bindings", "--json").stdout) == {"bindings": []}


def test_the_ladder_of_a_call(switchboard: Switchboard) -> None:
    shown = switchboard.cli("lab", "call", "x", "y", "--ring", "0", "--talk", "0")
    heading, *rungs = shown.stdout.splitlines()
    assert heading.split() == ["x", "switchboard", "y"]
    assert any("◀" in rung and "180 Ringing" in rung for rung in rungs)
    assert shown.stderr.strip().startswith("x called y, who answered; x hung up.")


def test_real_phones_of_the_callee_are_not_rung(switchboard: Switchboard) -> None:
    with Net(switchboard.address) as net:
        lenka = registered(net, "lenka")
        done = switchboard.cli("lab", "call", "lab-anna", lenka.user, check=False)
        assert done.returncode == 1
        assert f"{lenka.user} has 1 other phone(s), which would ring" in done.stderr
        assert lenka.unread() == []
        users = {
            each["user"] for each in json.loads(switchboard.cli("bindings", "--json").stdout)["bindings"]
        }
        assert lenka.user in users
        assert "lab-anna" not in users


def test_one_is_started_for_the_time() -> None:
    with Switchboard() as switchboard:
        found = placed(switchboard, "--start")
        assert "SIP/2.0 180 Ringing" in lines(found["messages"], "lab-anna")
        assert switchboard.cdr() == []


def test_where_passwords_are_wanted_the_phones_are_users_meanwhile(asking: Switchboard) -> None:
    found = placed(asking)
    seen = lines(found["messages"], "lab-anna")
    assert seen.count("SIP/2.0 401 Unauthorized") == 2
    assert seen.count("SIP/2.0 407 Proxy Authentication Required") == 1
    assert asking.wait_record(found["call_id"])["outcome"] == "answered"
    assert json.loads(asking.cli("user", "list", "--json").stdout) == {"users": []}


@pytest.mark.parametrize("progress", ["ringing", "up"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_call_that_is_broken_off_is_hung_up(
    asking: Switchboard, progress: str, number: signal.Signals
) -> None:
    options = ("--ring", "60") if progress == "ringing" else ("--ring", "0", "--talk", "60")
    with asking.start_command("lab", "call", *options) as command:
        call = wait_until(lambda: going(asking, command, progress), f"a call {progress}")
        command.send_signal(number)
        assert command.wait(10) == 130
    record = asking.wait_record(call["call_id"])
    assert record["outcome"] == ("cancelled" if progress == "ringing" else "answered")
    assert json.loads(asking.cli("bindings", "--json").stdout) == {"bindings": []}
    assert json.loads(asking.cli("user", "list", "--json").stdout) == {"users": []}


def going(switchboard: Switchboard, command: Popen[str], state: str) -> Any:
    """The call that the command has placed, once it is so far."""
    assert command.poll() is None, "it goes on"
    calls = json.loads(switchboard.cli("calls", "--json").stdout)["calls"]
    return next((call for call in calls if call["state"] == state), None)
