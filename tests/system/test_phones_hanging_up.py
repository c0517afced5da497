"""The operator ends calls of real phones: Linphone, baresip, and SIPp behind address translation."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from system import address_translator
from system.baresip import Baresip
from system.capture import Capture, Trace
from system.harness import CallRecord, wait_until
from system.lan import HUB
from system.phone_lab import Lab, Phone, connect, place_call, standing_lab
from system.sipp import SCENARIOS
from system.tools import require_tools

pytest_plugins = ["system.phone_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]

INSIDE, PHONE = "192.168.5.1", "192.168.5.5"
RING_S = 60


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Its phones ring until somebody hangs up."""
    with standing_lab(tmp_path_factory.mktemp("phones"), {}, ring_s=RING_S) as lab:
        yield lab


def await_call(lab: Lab, wire: Capture, label: str) -> str:
    """The Call-ID of lukas' call, when the history has a message of it."""
    [call_id] = wire.read().calls(lab.lukas.address)

    def is_told() -> bool:
        return label in lab.switchboard.cli("ladder", call_id, check=False).stdout

    wait_until(is_told, f"{label} in the history")
    return call_id


def kill_router(lab: Lab) -> None:
    pid = lab.switchboard.kill("router")
    lab.switchboard.wait_component("router", lambda one: one["state"] == "up" and one["pid"] != pid)


def assert_ended(lab: Lab, call_id: str, outcome: str) -> CallRecord:
    record = lab.switchboard.wait_record(call_id)
    assert (record["outcome"], record["ended_by"]) == (outcome, "operator")
    return record


def wait_agreed(wire: Capture, method: str, *phones: Phone) -> None:
    """Return when each of these phones, and nobody else, has answered a request of ours: with 200."""

    def answers(trace: Trace) -> set[tuple[str, str]]:
        return {(each.source, each.status[:3]) for each in trace.responses(method, target=HUB)}

    def have_answered(trace: Trace) -> bool:
        return {source for source, _ in answers(trace)} >= {phone.address for phone in phones}

    trace = wire.wait_for(have_answered, f"answers to {method}")
    assert answers(trace) == {(phone.address, "200") for phone in phones}


def test_a_call_between_linphones_whose_router_was_killed(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    call_id = await_call(lab, wire, "ACK")
    kill_router(lab)
    assert lab.switchboard.cli("hangup", call_id).returncode == 0
    assert lab.lukas.wait_ended(ours) == lab.lenka.wait_ended(theirs) == "No error"
    assert_ended(lab, call_id, "answered")
    wait_agreed(wire, "BYE", lab.lukas, lab.lenka)


def test_a_call_that_was_on_hold(lab: Lab, wire: Capture) -> None:
    """Re-INVITEs have raised the CSeq number of one side."""
    ours, theirs = connect(lab.lukas, lab.lenka)
    lab.lukas.pause(ours)
    lab.lenka.wait_paused(theirs)
    lab.lukas.resume(ours)
    call_id = await_call(lab, wire, "ACK")
    assert lab.switchboard.cli("hangup", call_id).returncode == 0
    assert lab.lukas.wait_ended(ours) == lab.lenka.wait_ended(theirs) == "No error"
    assert_ended(lab, call_id, "answered")
    wait_agreed(wire, "BYE", lab.lukas, lab.lenka)


def test_a_call_that_rings(lab: Lab, wire: Capture) -> None:
    ours, theirs = place_call(lab.lukas, lab.lenka)
    call_id = await_call(lab, wire, "180")
    assert lab.switchboard.cli("hangup", call_id).returncode == 0
    lab.lukas.wait_ended(ours)
    lab.lenka.wait_ended(theirs)
    assert_ended(lab, call_id, "cancelled")
    wait_agreed(wire, "CANCEL", lab.lenka)


def test_a_call_to_baresip(lab: Lab, wire: Capture, tmp_path: Path) -> None:
    require_tools("baresip")
    with Baresip(lab.lan, "guest", "martin", tmp_path / "baresip") as martin:
        call = lab.lukas.call("martin")
        martin.wait_incoming("lukas")
        martin.answer()
        martin.wait_connected()
        lab.lukas.wait_media(call)
        call_id = await_call(lab, wire, "ACK")
        assert lab.switchboard.cli("hangup", call_id).returncode == 0
        martin.wait_ended()
        assert lab.lukas.wait_ended(call) == "No error"
        assert_ended(lab, call_id, "answered")
        wait_agreed(wire, "BYE", lab.lukas, martin)


@contextmanager
def translating(lab: Lab) -> Iterator[None]:
    """An address translator on the guest's host; the phone behind it sends to INSIDE."""
    for address in (INSIDE, PHONE):
        lab.lan.configure("guest", f"address add {address}/32 dev lo")
    script = str(Path(address_translator.__file__))
    outside = lab.lan.addresses["guest"]
    command = lab.lan.command("guest", sys.executable, script, INSIDE, outside, HUB)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def sipp(lab: Lab, scenario: str, directory: Path, *options: str) -> subprocess.Popen[bytes]:
    """SIPp on the guest's host, behind the translator."""
    words = ["sipp", f"{INSIDE}:5060", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", "1", "-nostdin"]
    words += ["-i", PHONE, "-p", "5062", "-timeout", "30", "-timeout_error", *options]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(lab.lan.command("guest", *words), cwd=directory, stdout=quiet, stderr=quiet)


def test_a_call_to_sipp_behind_address_translation(lab: Lab, wire: Capture, tmp_path: Path) -> None:
    require_tools("sipp")
    with translating(lab):
        register = ["-s", "nat", "-key", "domain", HUB, "-key", "contact", f"sip:nat@{PHONE}:5062"]
        assert sipp(lab, "register", tmp_path, *register).wait(20) == 0
        with sipp(lab, "callee", tmp_path) as callee:
            call = lab.lukas.call("nat")
            lab.lukas.wait_media(call)
            call_id = await_call(lab, wire, "ACK")
            kill_router(lab)
            assert lab.switchboard.cli("hangup", call_id).returncode == 0
            assert callee.wait(20) == 0, "SIPp got no BYE"
            assert lab.lukas.wait_ended(call) == "No error"
        assert_ended(lab, call_id, "answered")
        byes = wire.read().requests("BYE", source=HUB)
        assert {each.target for each in byes} == {lab.lan.addresses["guest"], lab.lukas.address}
