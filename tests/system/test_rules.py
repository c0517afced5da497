"""Rules that live with the users: set by commands and star codes, and there after kills of registrar and routers."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, free_port
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
