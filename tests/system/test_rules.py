"""Rules that live with the users: set by commands and star codes, and there after kills of registrar and routers."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

HOST = "127.0.0.1"
CODES = {"always": "*72", "off": "*73", "busy": "*90", "dnd_on": "*78", "dnd_off": "*79"}


class Office(NamedTuple):
    board: Switchboard
    net: Net
    lenka: UserAgent
    lukas: UserAgent
    eva: UserAgent

    def always(self, user: UserAgent) -> str:
        """Where all calls of a user go, as the command shows it."""
        told = json.loads(self.board.cli("forward", user.user, "--json").stdout)
        return str(told["rules"]["always"]) if told["rules"] else ""


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """Lukas has the number 102."""
    port = free_port(HOST)
    with Net((HOST, port)) as net:
        environment = {
            "SWITCHBOARD_ROUTERS": "3",
            "SWITCHBOARD_STAR_CODES": json.dumps(CODES),
            "SWITCHBOARD_USERS": json.dumps({f"lukas-{net.run}": {"numbers": ["102"]}}),
        }
        with Switchboard(environment, port=port) as board:
            yield Office(board, net, *(registered(net, each) for each in ("lenka", "lukas", "eva")))


def check_that_lukas_rings(office: Office) -> None:
    """Eva calls lenka."""
    invite = office.eva.invite(office.lenka.aor)
    call = answer_call(office.eva, invite, office.lukas, office.lukas.expect("INVITE"))
    hang_up(call.caller, call.callee)


def test_rules_outlive_kills_of_registrar_and_routers(office: Office) -> None:
    office.board.cli("forward", office.lenka.user, "--always", office.lukas.user)
    check_that_lukas_rings(office)
    routers = [each["instance"] for each in office.board.components() if each["name"] == "router"]
    for instance in routers:
        office.board.kill("router", instance)
    office.board.kill("registrar")
    office.board.wait_up()
    assert office.always(office.lenka) == office.lukas.user
    check_that_lukas_rings(office)
    told = office.board.cli("dialplan", "try", office.lenka.user, "--as", office.eva.user)
    assert f"{office.lenka.user}: always → {office.lukas.user}" in told.stdout
    office.board.cli("forward", office.lenka.user, "--off")


def test_a_star_code_changes_the_rules_of_who_dials_it(office: Office) -> None:
    answer = office.lenka.invite(f"sip:*72102@{HOST}").expect(480)
    assert answer.reason == f"{office.lenka.user}: always -> 102"
    assert office.always(office.lenka) == "102"
    check_that_lukas_rings(office)
    assert (
        office.lenka.invite(f"sip:*73@{HOST}").expect(480).reason == f"{office.lenka.user}: the phones ring"
    )
    assert office.always(office.lenka) == ""
    office.lenka.invite(f"sip:*72@{HOST}").expect(484)
    refused = office.lenka.invite(f"sip:*72{office.lenka.user}@{HOST}").expect(403)
    assert refused.reason.startswith("Nothing was changed: ")
    office.lenka.invite(f"sip:*99@{HOST}").expect(404)


def test_who_is_not_known_changes_nothing(office: Office) -> None:
    stranger = UserAgent(office.net, "stranger")
    stranger.invite(f"sip:*72102@{HOST}").expect(403)
    assert office.always(stranger) == ""


@pytest.fixture
def group(office: Office) -> Iterator[str]:
    name = f"hotline-{office.net.run}"
    yield name
    office.board.cli("group", "delete", name)


@pytest.mark.parametrize("way", ["rotate", "idle"])
def test_whose_turn_it_is_all_routers_know_also_after_kills_of_every_worker(
    office: Office, group: str, way: str
) -> None:
    """Calls are shared out by their Call-ID, so each of the routers has some of them."""
    first, other = (registered(office.net, f"{name}-{way}") for name in ("anna", "bea"))
    office.board.cli("group", "add", group, first.user, other.user, "--way", way)
    for member in (first, other, first, other, first):
        ring(office, group, member)
    name, least = (
        (f"group:{group}", 5.0) if way == "rotate" else (first.user, turns(office).get(other.user, 1.0))
    )
    wait_until(lambda: turns(office).get(name, 0.0) >= least, "its turn on the disk")
    for worker in [each["pid"] for each in office.board.components()]:
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
    office.board.wait_up()
    ring(office, group, other)


def ring(office: Office, group: str, member: UserAgent) -> None:
    """The next call to a group comes to this member first, and ends."""
    invite = office.eva.invite(f"sip:{group}@{HOST}")
    call = answer_call(office.eva, invite, member, member.expect("INVITE"))
    hang_up(call.caller, call.callee)


def turns(office: Office) -> dict[str, float]:
    """What the registrar has on the disk."""
    with closing(sqlite3.connect(office.board.data_dir / "turns.db")) as database:
        return dict(database.execute("SELECT name, number FROM turns"))
