"""Workers are killed while users with passwords register and call: nothing is lost, no proof counts twice."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, wait_until
from system.net import Net
from system.password import PasswordAgent, add_user
from system.sip_transactions import ClientTransaction
from system.sipmsg import Message

pytestmark = pytest.mark.system

ROUTERS = 2
WORKERS = (("registrar", 0), *(("router", number) for number in range(ROUTERS)))
LINES = 6


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    with Switchboard({"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_ROUTERS": str(ROUTERS)}) as running:
        yield running


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    """Its phones send again what is not answered."""
    with Net(switchboard.address, retransmits=True) as phones:
        yield phones


def kill_all(switchboard: Switchboard) -> None:
    """The registrar and every router, at once; until their successors are up."""
    old = {worker: switchboard.kill(*worker) for worker in WORKERS}

    def replaced() -> bool:
        now = {worker: switchboard.component(*worker) for worker in WORKERS}
        return all(now[each]["state"] == "up" and now[each]["pid"] != old[each] for each in old)

    wait_until(replaced, "the successors")


def new_users(switchboard: Switchboard, net: Net) -> list[PasswordAgent]:
    phones = [PasswordAgent(net, f"user{number}") for number in range(2 * LINES)]
    for phone in phones:
        add_user(switchboard, phone)
    return phones


def begin(phone: PasswordAgent, first: ClientTransaction, status: int) -> Message:
    """The request that answers the challenge of the first one."""
    phone.asked.append(first.expect(status))
    return phone.answered(first.request, phone.asked[-1])


def test_nothing_is_lost_and_no_proof_holds_twice(switchboard: Switchboard, net: Net) -> None:
    phones = new_users(switchboard, net)
    proofs = [begin(phone, phone.register(), 401) for phone in phones]
    kill_all(switchboard)
    for phone, proof in zip(phones, proofs, strict=True):
        phone.start(proof).expect(200)
    callers, callees = phones[:LINES], phones[LINES:]
    asked = [caller.invite(callee.aor) for caller, callee in zip(callers, callees, strict=True)]
    shown = [begin(caller, first, 407) for caller, first in zip(callers, asked, strict=True)]
    kill_all(switchboard)
    invites = [caller.start(invite) for caller, invite in zip(callers, shown, strict=True)]
    ringing = [callee.expect("INVITE") for callee in callees]
    for each in ringing:
        each.reply(180)
    kill_all(switchboard)
    calls = [
        answer_call(caller, invite, callee, incoming)
        for caller, invite, callee, incoming in zip(callers, invites, callees, ringing, strict=True)
    ]
    kill_all(switchboard)
    for call in calls:
        hang_up(call.callee, call.caller)
    for invite in shown:
        assert switchboard.wait_record(invite.call_id)["outcome"] == "answered"
    _check_bindings(switchboard, phones)
    _check_replays(callers, proofs[:LINES], shown)


def _check_bindings(switchboard: Switchboard, phones: list[PasswordAgent]) -> None:
    kept = json.loads(switchboard.cli("bindings", "--json").stdout)["bindings"]
    assert {each["contact_uri"] for each in kept} == {phone.contact for phone in phones}


def _check_replays(callers: list[PasswordAgent], registers: list[Message], invites: list[Message]) -> None:
    """All that was shown before those deaths is refused when it is shown once more, by a new transaction."""
    for caller, register, invite in zip(callers, registers, invites, strict=True):
        for used, status, field in (
            (register, 401, "www-authenticate"),
            (invite, 407, "proxy-authenticate"),
        ):
            refused = caller.start(caller.renewed(used)).expect(status)
            assert "stale=true" in refused.get(field)


def test_what_was_captured_before_the_stores_were_moved_away_is_not_accepted_once_more(
    tmp_path: Path,
) -> None:
    """Who counted its uses does not know of them any more, so it does not know the nonce either."""
    with Switchboard({"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_ROUTERS": "1"}) as switchboard:
        with Net(switchboard.address, retransmits=True) as net:
            phone = PasswordAgent(net, "lukas")
            add_user(switchboard, phone)
            register = begin(phone, phone.register(), 401)
            phone.start(register).expect(200)
            message = begin(phone, phone.start(phone.request("MESSAGE", f"sip:nobody@{phone.domain}")), 407)
            phone.start(message).expect(404)
        switchboard.stop()
        for name in ("location.db", "location.db-wal", "location.db-shm", "router-0"):
            with suppress(FileNotFoundError):
                (switchboard.data_dir / name).rename(tmp_path / name)
        switchboard.start()
        switchboard.wait_up()
        with Net(switchboard.address, retransmits=True) as net:
            phone = PasswordAgent(net, "lukas")
            for used, status in ((register, 401), (message, 407)):
                assert "stale=true" in str(phone.start(phone.renewed(used)).expect(status).headers)
