"""Each component is killed, restarted or kept down, and the switchboard goes on."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from system.control import Component
from system.dialog import answer_call, hang_up, place_call
from system.harness import INIT_SYSTEM, Switchboard, wait_until
from system.net import Net
from system.sipmsg import uri_in
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

NEEDED = ("edge-rx", "edge-tx", "edge-stream", "registrar", "router", "translator", "journal")
WORKERS = (*NEEDED, "history")
"""With what no call waits for, which has no spare."""
BACK_S = 5.0
"""A killed worker is up again within this on a busy machine; the kill matrix measures it on a quiet one."""


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    """One with a parent for each component: while one is stopped, the others answer."""
    with Switchboard(runner=INIT_SYSTEM) as running:
        yield running


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


@pytest.fixture
def callee(net: Net) -> UserAgent:
    return registered(net, "lukas")


def others(switchboard: Switchboard, name: str) -> list[tuple[str, int, int | None, int]]:
    """What must stay as it is when the worker `name` is killed."""
    return [
        (one["name"], one["instance"], one["pid"], one["restarts"])
        for one in switchboard.components()
        if one["name"] != name
    ]


@contextmanager
def running(environment: dict[str, str], data_dir: Path | None = None) -> Iterator[tuple[Switchboard, Net]]:
    """A switchboard of its own and its phones."""
    with Switchboard(environment, data_dir=data_dir) as switchboard, Net(switchboard.address) as net:
        yield switchboard, net


@pytest.mark.parametrize("name", NEEDED)
def test_killed_worker_is_soon_back(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent, name: str
) -> None:
    before, untouched = switchboard.component(name), others(switchboard, name)
    old = switchboard.kill(name)
    killed_at = time.monotonic()
    after = switchboard.wait_component(name, lambda one: one["state"] == "up" and one["pid"] != old)
    assert time.monotonic() - after["uptime_s"] - killed_at < BACK_S
    assert after["restarts"] == before["restarts"] + 1
    assert others(switchboard, name) == untouched
    call = place_call(caller, callee)
    hang_up(call.callee, call.caller)
    assert switchboard.wait_record(call.call_id)["outcome"] == "answered"


def test_status_command(switchboard: Switchboard) -> None:
    shown = switchboard.status()
    assert {one["name"] for one in shown} == set(WORKERS)
    assert [one["pid"] for one in shown] == [one["pid"] for one in switchboard.components()]
    with switchboard.kept_down("translator"):
        assert {one["name"] for one in switchboard.status() if one["state"] != "up"} == {"translator"}


@pytest.mark.parametrize("name", WORKERS)
def test_graceful_restart(switchboard: Switchboard, caller: UserAgent, callee: UserAgent, name: str) -> None:
    before, untouched = switchboard.component(name), others(switchboard, name)
    switchboard.cli("restart", name)
    after = switchboard.component(name)
    assert (after["state"], after["restarts"]) == ("up", before["restarts"] + 1)
    assert after["pid"] != before["pid"]
    assert others(switchboard, name) == untouched
    call = place_call(caller, callee)
    hang_up(call.caller, call.callee)
    switchboard.wait_record(call.call_id)


def test_restart_of_what_does_not_exist(switchboard: Switchboard) -> None:
    assert switchboard.cli("restart", "toaster", check=False).returncode != 0


def test_calls_go_on_without_the_registrar(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent
) -> None:
    with switchboard.kept_down("registrar"):
        call = place_call(caller, callee)
        hang_up(call.callee, call.caller)
        waiting = caller.register(expires=900)
    waiting.expect(200, resend=True, timeout_s=10)
    listed = switchboard.cli("bindings", "--json").stdout
    assert all(phone.contact in listed for phone in (caller, callee))


def test_a_router_that_starts_without_the_registrar_reads_the_store_and_says_so(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent
) -> None:
    def notes() -> list[str]:
        return next(one["notes"] for one in switchboard.status() if one["name"] == "router")

    with switchboard.kept_down("registrar"):
        switchboard.cli("restart", "router")
        call = place_call(caller, callee)
        hang_up(call.caller, call.callee)
        (note,) = wait_until(notes, "a note of the router")
    assert note.startswith("nothing heard from the registrar for ")
    assert note.endswith("; bindings are those of its store")


def test_datagrams_wait_for_the_edge(switchboard: Switchboard, caller: UserAgent) -> None:
    with switchboard.kept_down("edge-rx"):
        waiting = [caller.ask("OPTIONS", f"sip:{caller.domain}") for _ in range(50)]
    for transaction in waiting:
        transaction.expect(200, timeout_s=10)


def test_journal_killed_during_a_call(switchboard: Switchboard, caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    with switchboard.kept_down("journal"):
        call = answer_call(caller, invite, callee, incoming)
        hang_up(call.caller, call.callee)
    first = switchboard.wait_record(call.call_id)
    assert (first["outcome"], first["ended_by"]) == ("answered", "caller")
    switchboard.cli("restart", "router")
    later = place_call(caller, callee)
    hang_up(later.caller, later.callee)
    switchboard.wait_record(later.call_id)
    assert switchboard.wait_record(call.call_id) == first


def wait_replaced(switchboard: Switchboard, old: dict[str, int]) -> None:
    """Return when other processes than the `old` ones are up."""

    def anew(one: Component) -> bool:
        return one["state"] == "up" and one["pid"] != old[one["name"]]

    for name in old:
        switchboard.wait_component(name, anew)


def test_everything_killed_at_once(switchboard: Switchboard, caller: UserAgent, callee: UserAgent) -> None:
    wait_replaced(switchboard, {name: switchboard.kill(name) for name in WORKERS})
    call = place_call(caller, callee)
    hang_up(call.caller, call.callee)


def test_hung_workers_are_replaced() -> None:
    with running({"SWITCHBOARD_HUNG_AFTER_S": "1"}) as (switchboard, net):
        phones = registered(net, "kristian"), registered(net, "lukas")
        hung = {name: switchboard.hang(name) for name in WORKERS}
        wait_replaced(switchboard, hung)
        call = place_call(*phones)
        hang_up(call.caller, call.callee)
        for name, pid in hung.items():
            switchboard.wait_logged(f"{name}.0 (pid {pid}) has not answered for 1 s")


def standby_of(switchboard: Switchboard, name: str) -> int:
    """The process that waits behind a worker."""
    worker = psutil.Process(switchboard.component(name)["pid"])
    [standby] = wait_until(lambda: worker.children(), f"the standby process of {name}")
    return int(standby.pid)


def test_a_worker_whose_standby_hangs_is_replaced() -> None:
    with running({"SWITCHBOARD_HUNG_AFTER_S": "1", "SWITCHBOARD_ROUTERS": "1"}) as (switchboard, net):
        phones = registered(net, "kristian"), registered(net, "lukas")
        standby = standby_of(switchboard, "router")
        router = psutil.Process(standby).ppid()
        os.kill(standby, signal.SIGSTOP)
        os.kill(router, signal.SIGKILL)
        wait_replaced(switchboard, {"router": standby})
        switchboard.wait_logged(f"router.0 (pid {standby}) hangs while it starts and is killed")
        call = place_call(*phones)
        hang_up(call.caller, call.callee)


def test_a_hung_standby_is_replaced() -> None:
    with running({"SWITCHBOARD_HUNG_AFTER_S": "1"}) as (switchboard, _):
        standby = standby_of(switchboard, "router")
        router = psutil.Process(standby).ppid()
        parent = psutil.Process(psutil.Process(router).ppid())
        workers = {each.pid for each in parent.children()}
        os.kill(standby, signal.SIGSTOP)
        switchboard.wait_logged(f"router.0 standby process (pid {standby}) hangs and is killed")
        wait_until(lambda: {each.pid for each in parent.children()} - workers, "another standby process")
        assert not psutil.pid_exists(standby)
        wait_replaced(switchboard, {"router": switchboard.kill("router")})


def test_bindings_outlive_the_switchboard(tmp_path: Path) -> None:
    with running({}, tmp_path) as (_, net):
        phone = registered(net, "lukas")
    with Switchboard(data_dir=tmp_path) as again:
        assert phone.contact in again.cli("bindings", "--json").stdout


def test_two_switchboards_side_by_side(switchboard: Switchboard, net: Net, caller: UserAgent) -> None:
    with running({"SWITCHBOARD_MIN_EXPIRES": "60"}) as (second, phones):
        here, there = registered(net, "lukas"), registered(phones, "lukas")
        call = place_call(registered(phones, "kristian"), there)
        hang_up(call.caller, call.callee)
        second.wait_cdr(1)
        caller.invite(f"sip:{there.user}@{caller.domain}").expect(404)
        assert [uri_in(binding) for binding in here.bindings()] == [here.contact]
        assert here.register(expires=59).expect(200)
        assert there.register(expires=59).expect(423).get("min-expires") == "60"
        assert second.cli("bindings", "--json").stdout != switchboard.cli("bindings", "--json").stdout


def test_port_that_is_taken(switchboard: Switchboard) -> None:
    status, printed = Switchboard(port=switchboard.port).fail_to_start()
    assert status != 0
    assert f"{switchboard.port}" in printed
    assert "SWITCHBOARD_SIP_PORT" in printed
    assert "Traceback" not in printed
