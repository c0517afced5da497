"""Phones that are asked for passwords over a connection: it stays open after 401, 407 and 503, as they need it.

baresip and pjsua2 never send credentials if it is closed after a challenge.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from system.baresip import Baresip
from system.handsets import Handset, OneLine
from system.harness import Switchboard
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.pjsua import Pjsua
from system.tools import require_modules, require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

KINDS = ["linphone", "pjsua2", "baresip"]
PAIRS = [("linphone", "pjsua2"), ("pjsua2", "baresip"), ("baresip", "linphone")]
GUEST = "guest"


@dataclass(frozen=True)
class Office:
    """Phones that have registered with passwords; a password for one more."""

    lan: Lan
    board: Switchboard
    home: Path
    phones: dict[str, Handset]
    password: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    require_root()
    require_tools("ip", "linphonec", "baresip")
    require_modules("pjsua2")
    home = tmp_path_factory.mktemp("phones")
    settings = {"SWITCHBOARD_TLS": "on", "SWITCHBOARD_AUTH": "on", "SWITCHBOARD_AUTH_ALGORITHMS": "MD5"}
    with ExitStack() as stack:
        lan = stack.enter_context(Lan([*KINDS, GUEST]))
        board = stack.enter_context(Switchboard(settings, host=HUB, port=5060, namespace=lan.hub))
        trust = board.data_dir / "tls" / "ca.pem"
        known = {
            name: board.cli("user", "add", name, "--generate").stdout.strip() for name in (*KINDS, GUEST)
        }
        linphone = Linphone(
            lan, "linphone", home / "linphone", transport="tls", authority=trust, password=known["linphone"]
        )
        pjsua = Pjsua(
            lan, "pjsua2", "pjsua2", home / "pjsua2", "tls", authority=trust, password=known["pjsua2"]
        )
        baresip = Baresip(lan, "baresip", "baresip", home / "baresip", "tcp", password=known["baresip"])
        phones: dict[str, Handset] = {
            "linphone": OneLine(stack.enter_context(linphone)),
            "pjsua2": stack.enter_context(pjsua),
            "baresip": stack.enter_context(baresip),
        }
        yield Office(lan, board, home, phones, known[GUEST])


@pytest.mark.parametrize(("caller", "callee"), PAIRS)
def test_they_show_their_credentials_over_the_same_connection(
    office: Office, caller: str, callee: str
) -> None:
    ours, theirs = office.phones[caller], office.phones[callee]
    ours.call(theirs.user)
    theirs.wait_incoming(ours.user)
    theirs.answer()
    for phone in (ours, theirs):
        phone.wait_connected()
    ours.hang_up()
    theirs.wait_ended()
    assert [office.lan.connections_made(kind) for kind in (caller, callee)] == [1, 1]


def test_pjsua2_tries_again_over_the_same_connection_after_a_503(office: Office) -> None:
    phone = Pjsua(office.lan, GUEST, GUEST, office.home / GUEST, password=office.password)
    with closing(sqlite3.connect(office.board.data_dir / "location.db", isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        phone.start()
        try:
            phone.wait_refused(503)
            stranger.execute("ROLLBACK")
            phone.wait_registered()
        finally:
            phone.stop()
    assert "\nRetry-After: " in phone.log()
    assert office.lan.connections_made(GUEST) == 1
