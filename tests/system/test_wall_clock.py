"""The wall clock is set while registrations, calls and records live, and is wrong when the machine starts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from system.dialog import hang_up, place_call
from system.harness import Switchboard, wait_until
from system.net import Net
from system.user_agent import UserAgent, registered
from system.wall_clock import WallClock

from switchboard.clock import GRACE_S, NAME

pytestmark = pytest.mark.system

MONTH_S = 30 * 86_400
SEEN_S = 2.5
"""The registrar looks at its bindings, and at the clock, once a second."""


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@contextmanager
def running(wall_clock: WallClock, data_dir: Path, **settings: str) -> Iterator[tuple[Switchboard, Net]]:
    environment = {**wall_clock.environment, **settings}
    with Switchboard(environment, data_dir=data_dir) as switchboard, Net(switchboard.address) as net:
        yield switchboard, net


def instants(record: dict[str, object]) -> tuple[datetime, datetime]:
    answered, ended = (datetime.fromisoformat(str(record[each])) for each in ("answered_at", "ended_at"))
    return answered, ended


@pytest.mark.parametrize("ahead_s", [19_800, -19_800, 400 * 86_400])
def test_the_clock_is_set_while_a_call_is_up(wall_clock: WallClock, tmp_path: Path, ahead_s: int) -> None:
    with running(wall_clock, tmp_path / "data") as (switchboard, net):
        caller, callee = registered(net, "kristian"), registered(net, "lukas")
        call = place_call(caller, callee)
        wall_clock.set(ahead_s)
        switchboard.wait_logged("the wall clock was set")
        assert caller.bindings(), "nothing has run out"
        switchboard.kill("router")
        switchboard.kill("registrar")
        second = place_call(caller, callee)
        for each in (call, second):
            hang_up(each.callee, each.caller)
            record = switchboard.wait_record(each.call_id)
            assert record["outcome"] == "answered"
            answered, ended = instants(record)
            assert 0.0 <= float(record["duration_s"]) < 60.0
            assert (ended - answered).total_seconds() == pytest.approx(record["duration_s"])
            shown = datetime.now(UTC) + timedelta(seconds=ahead_s)
            assert abs((ended - shown).total_seconds()) < 30.0, "records show the wall clock"


def test_registrations_run_out_by_true_time_after_a_step_back(wall_clock: WallClock, tmp_path: Path) -> None:
    with running(wall_clock, tmp_path / "data") as (switchboard, net):
        phone = UserAgent(net, "lukas")
        phone.register(expires=4).expect(200)
        wall_clock.set(-MONTH_S)
        other = registered(net, "kristian")
        wait_until(lambda: not phone.bindings(), "the end of the registration")
        other.invite(phone.aor).expect(480)


def start_of_the_machine(data_dir: Path) -> None:
    """As the switchboard will see it: what is in the file was written in another boot."""
    path = data_dir / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boot": "another"}))


@pytest.mark.parametrize("ahead_s", [400 * 86_400, -400 * 86_400])
def test_the_machine_starts_with_a_wrong_clock(wall_clock: WallClock, tmp_path: Path, ahead_s: int) -> None:
    data_dir = tmp_path / "data"
    with running(wall_clock, data_dir) as (switchboard, net):
        user, contact = (phone := registered(net, "lukas")).user, phone.contact
    start_of_the_machine(data_dir)
    wall_clock.set(ahead_s)
    with running(wall_clock, data_dir) as (switchboard, net):
        shown = json.loads(switchboard.cli("bindings", "--json").stdout)["bindings"]
        assert [(each["user"], each["contact_uri"]) for each in shown] == [(user, contact)]
        (note,) = next(one["notes"] for one in switchboard.status() if one["name"] == "registrar")
        assert ("ahead" if ahead_s > 0 else "behind") in note
        assert "when this machine started" in switchboard.cli("doctor", check=False).stdout
        wait_until(lambda: "bindings were given grace" in switchboard.log() or ahead_s < 0, "grace")
        left_s = shown[0]["expires_at"] - datetime.now(UTC).timestamp() - ahead_s
        assert left_s <= GRACE_S if ahead_s > 0 else GRACE_S < left_s <= 600
        caller = registered(net, "kristian")
        assert caller.bindings()
        wall_clock.set(0)
        switchboard.wait_logged("the wall clock was set")
        assert caller.bindings()
