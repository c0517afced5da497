"""Calls of real Linphone phones outlive their workers and a rolling restart of the whole switchboard."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from system.capture import Capture, Trace
from system.harness import CallRecord, wait_until
from system.lan import HUB
from system.linphone import Linphone
from system.phone_lab import (
    Lab,
    assert_answered_record,
    assert_record,
    connect,
    place_call,
    standing_lab,
    wait_talk,
    wait_told,
)

from bench.blow import all_workers

pytest_plugins = ["system.phone_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]

ROUTERS = 2
WORKERS = list(all_workers(ROUTERS))
RING_S = 60
ACCURATE_S = 0.1
"""By so much an instant of a record may differ from a packet's."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with two routers, whose phones ring for long."""
    home = tmp_path_factory.mktemp("phones")
    with standing_lab(home, {"SWITCHBOARD_ROUTERS": str(ROUTERS)}, ring_s=RING_S) as lab:
        yield lab


@pytest.fixture(autouse=True)
def nobody_registers(lab: Lab, wire: Capture) -> Iterator[None]:
    """All stay registered, and no phone does anything for it."""
    before = bindings(lab)
    assert {each["user"] for each in before} == {phone.user for phone in lab.phones}
    yield
    assert bindings(lab) == before
    assert not wire.read().requests("REGISTER")


def bindings(lab: Lab) -> list[dict[str, Any]]:
    """What is registered, by whom and until when (to the second)."""
    found: list[dict[str, Any]] = json.loads(lab.switchboard.cli("bindings", "--json").stdout)["bindings"]
    for each in found:
        del each["left_s"]
        each["expires_at"] = round(each["expires_at"])
    return found


@contextmanager
def killed(lab: Lab, worker: str) -> Iterator[None]:
    """From the worker's SIGKILL through the block until another one is up."""
    name, _, instance = worker.partition(".")
    old = lab.switchboard.kill(name, int(instance))
    yield

    def back() -> bool:
        one = lab.switchboard.component(name, int(instance))
        return one["state"] == "up" and one["pid"] != old

    wait_until(back, f"{worker} is up again")


@contextmanager
def rolling(lab: Lab) -> Iterator[None]:
    """The block runs beside `switchboard restart --all`, which then has replaced every worker."""
    before = {one["pid"] for one in lab.switchboard.components()}
    with lab.switchboard.cli_beside("restart", "--all"):
        yield
    assert before.isdisjoint(one["pid"] for one in lab.switchboard.components())


@contextmanager
def named(worker: str) -> Iterator[None]:
    """A failure in the block tells which worker was killed."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"{worker} had been killed")
        raise


def hold_and_resume(caller: Linphone, ours: int, callee: Linphone, theirs: int) -> None:
    """Two re-INVITEs."""
    caller.pause(ours)
    callee.wait_paused(theirs)
    caller.resume(ours)
    callee.wait_media(theirs)


def assert_instants(record: CallRecord, trace: Trace) -> None:
    """Each instant of the record lies between the packets by which one phone said it and the other heard it.

    These are half a second apart if the first datagram was lost with the worker.
    """
    call = [packet for packet in trace.packets if packet.call_id == record["call_id"]]
    final = str(record["status"])
    said = {"ringing_at": "180", "answered_at": final, "ended_at": final if final != "200" else "BYE"}
    for name, what in said.items():
        if record[name]:
            packets = [each for each in call if what in (each.method, each.status[:3])]
            first = float(packets[0].at) - ACCURATE_S
            last = float(next(each for each in packets if each.source == HUB).at) + ACCURATE_S
            assert first < datetime.fromisoformat(record[name]).timestamp() < last, (
                f"{name}: {record}\n{trace}"
            )


def test_call_that_is_up_outlives_every_worker(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    for worker in WORKERS:
        with named(worker):
            with killed(lab, worker):
                hold_and_resume(lab.lukas, ours, lab.lenka, theirs)
            since = max(float(invite.time) for invite in wire.read().requests("INVITE"))
            wait_talk(wire, lab.lukas, lab.lenka, after_s=since)
    lab.lenka.hang_up(theirs)
    assert lab.lukas.wait_ended(ours) == lab.lenka.wait_ended(theirs) == "No error"
    assert_survived(lab, wire, ended_by="callee")


def test_call_that_is_up_outlives_a_rolling_restart(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    with rolling(lab):
        for _ in range(5):
            hold_and_resume(lab.lukas, ours, lab.lenka, theirs)
    since = float(wire.read().packets[-1].time)
    wait_talk(wire, lab.lukas, lab.lenka, after_s=since)
    lab.lukas.hang_up(ours)
    assert lab.lukas.wait_ended(ours) == lab.lenka.wait_ended(theirs) == "No error"
    assert_survived(lab, wire, ended_by="caller")


def assert_survived(lab: Lab, wire: Capture, *, ended_by: str) -> None:
    """The only call of lukas was one with lenka, as the journal says, too."""
    trace = wait_told(wire, lab.lukas, ["100", "180", "200"])
    [call_id] = trace.calls(lab.lukas.address)
    assert_instants(assert_answered_record(lab, call_id, lab.lukas, lab.lenka, ended_by=ended_by), trace)


@dataclass(frozen=True, slots=True)
class Ringing:
    """Three calls that ring at lenka's: each one's number at the caller's phone and at hers."""

    lukas: tuple[int, int]
    peter: tuple[int, int]
    zuzana: tuple[int, int]


def ring(lab: Lab) -> Ringing:
    """Place three calls; returns when they ring."""
    return Ringing(*(place_call(caller, lab.lenka) for caller in (lab.lukas, lab.peter, lab.zuzana)))


def end(lab: Lab, calls: Ringing) -> None:
    """Zuzana cancels, peter is declined, lukas is answered and hangs up."""
    lab.zuzana.hang_up(calls.zuzana[0])
    lab.lenka.decline(calls.peter[1])
    lab.lenka.answer(calls.lukas[1])
    assert lab.zuzana.wait_ended(calls.zuzana[0]) == "No error"
    assert lab.lenka.wait_ended(calls.zuzana[1]) == "Not answered"
    assert lab.peter.wait_ended(calls.peter[0]) == lab.lenka.wait_ended(calls.peter[1]) == "Call declined"
    lab.lukas.wait_media(calls.lukas[0])
    lab.lenka.wait_media(calls.lukas[1])
    lab.lukas.hang_up(calls.lukas[0])
    assert lab.lenka.wait_ended(calls.lukas[1]) == "No error"


def assert_ended_three_ways(lab: Lab, wire: Capture) -> None:
    """All who took part were told so, and the journal has one record of each call."""
    wait_told(wire, lab.lukas, ["100", "180", "200"])
    wait_told(wire, lab.peter, ["100", "180", "603"])
    trace = wait_told(wire, lab.zuzana, ["100", "180", "487"])
    answered, declined, cancelled = (
        trace.calls(phone.address)[0] for phone in (lab.lukas, lab.peter, lab.zuzana)
    )
    for record in (
        assert_answered_record(lab, answered, lab.lukas, lab.lenka, ended_by="caller"),
        assert_record(
            lab, declined, lab.peter, "lenka", outcome="declined", status=603, ended_by="callee", rang=True
        ),
        assert_record(
            lab, cancelled, lab.zuzana, "lenka", outcome="cancelled", status=487, ended_by="caller", rang=True
        ),
    ):
        assert_instants(record, trace)


@pytest.mark.parametrize("worker", WORKERS)
def test_ringing_calls_outlive_a_worker(lab: Lab, wire: Capture, worker: str) -> None:
    calls = ring(lab)
    with killed(lab, worker):
        end(lab, calls)
    assert_ended_three_ways(lab, wire)


def test_ringing_calls_outlive_a_rolling_restart(lab: Lab, wire: Capture) -> None:
    calls = ring(lab)
    with rolling(lab):
        pass
    end(lab, calls)
    assert_ended_three_ways(lab, wire)
