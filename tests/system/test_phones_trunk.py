"""Real phones and a trunk: a call that goes out to a provider, and comes in again for one of its numbers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from system.harness import Switchboard, wait_until
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.provider import PASSWORD, REALM, Provider
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

NUMBER = "421255500101"
DIALLED = "0255500101"
WORKERS = ("trunks", "router", "edge-rx", "edge-tx", "registrar", "translator", "journal")


class Office(NamedTuple):
    board: Switchboard
    lukas: Linphone
    lenka: Linphone


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Lenka has the trunk's number."""
    require_root()
    require_tools("ip", "linphonec", "kamailio")
    home = tmp_path_factory.mktemp("trunk")
    file = home / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "provider"]))
        host = lan.addresses["provider"]
        provider = Provider(
            home,
            (host, 5999),
            host,
            port=5060,
            most_s=600,
            enter=lambda *words: lan.command("provider", *words),
        )
        stack.enter_context(provider)
        trunk = {"registrar": host, "user": NUMBER, "domain": REALM, "password_file": str(file)}
        rule = {"match": "0*", "strip": 1, "prepend": "421", "to": "trunk:provider"}
        settings = {
            "SWITCHBOARD_TRUNKS": json.dumps({"provider": trunk | {"numbers": {NUMBER: "lenka"}}}),
            "SWITCHBOARD_DIALPLAN": json.dumps({"rules": [rule]}),
        }
        board = stack.enter_context(Switchboard(settings, host=HUB, port=5060, namespace=lan.hub))
        phones = [stack.enter_context(Linphone(lan, user, home / user)) for user in ("lukas", "lenka")]
        wait_until(
            lambda: not board.cli("trunk", "test", "provider", check=False).returncode, "a registration"
        )
        yield Office(board, *phones)


def connect(office: Office) -> tuple[int, int]:
    ours = office.lukas.call(DIALLED)
    theirs = office.lenka.wait_incoming(NUMBER)
    office.lukas.wait_ringing(ours)
    office.lenka.answer(theirs)
    office.lukas.wait_media(ours)
    office.lenka.wait_media(theirs)
    return ours, theirs


def test_each_side_hangs_up(office: Office) -> None:
    ours, theirs = connect(office)
    office.lukas.hang_up(ours)
    assert [office.lukas.wait_ended(ours), office.lenka.wait_ended(theirs)] == ["No error"] * 2
    ours, theirs = connect(office)
    office.lenka.hang_up(theirs)
    assert [office.lukas.wait_ended(ours), office.lenka.wait_ended(theirs)] == ["No error"] * 2


def test_a_call_survives_a_kill_of_all_workers(office: Office) -> None:
    ours, theirs = connect(office)
    for worker in WORKERS:
        office.board.kill(worker)
    office.board.wait_up()
    office.lenka.hang_up(theirs)
    assert [office.lukas.wait_ended(ours), office.lenka.wait_ended(theirs)] == ["No error"] * 2
