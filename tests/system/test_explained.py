"""What people are told of calls and registrations that failed, by a switchboard that runs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from system.console import Console
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.test_history import await_history
from system.tools import require_tools
from system.user_agent import ClientTransaction, UserAgent

pytestmark = pytest.mark.system

SETTINGS = {
    "SWITCHBOARD_DOMAINS": "office.test",
    "SWITCHBOARD_LANGUAGE": "sk",
    "SWITCHBOARD_T1_S": "0.02",
    "SWITCHBOARD_ACCESS": json.dumps({"methods": {"INVITE": {"deny": ["127.0.0.9/32"]}}}),
}
SECURE = (
    b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


@pytest.fixture(scope="module")
def board() -> Iterator[Switchboard]:
    with Switchboard(SETTINGS) as running:
        await_history(running)
        yield running


@pytest.fixture
def net(board: Switchboard) -> Iterator[Net]:
    with Net(board.address) as phones:
        yield phones


def assert_told(board: Switchboard, invite: ClientTransaction, *texts: str) -> None:
    """The account of the call comes to have all of them."""
    board.wait_said(("explain", invite.request.call_id), *texts)


def test_a_phone_at_a_domain_that_is_not_ours(board: Switchboard, tmp_path: Path) -> None:
    require_tools("baresip")
    (tmp_path / "config").write_text(
        f"sip_listen 127.0.0.1:{free_port('127.0.0.1')}\nmodule_path /usr/lib/baresip/modules\n"
        "module stdio.so\nmodule_app account.so\nmodule_app menu.so\n"
    )
    outbound = f'outbound="sip:127.0.0.1:{board.port};transport=udp"'
    account = f"<sip:petra@pbx.office.local:5070;transport=udp>;auth_pass=none;regint=600;{outbound}\n"
    (tmp_path / "accounts").write_text(account)
    (tmp_path / "contacts").touch()
    phone = Console("petra", ["baresip", "-4", "-f", str(tmp_path)], os.environ | {"TERM": "dumb"})
    try:
        phone.wait("petra@pbx.office.local.*: 403 ")
    finally:
        phone.close("/quit")
    why = "pbx.office.local:5070 is none of our domains (ours are office.test, 127.0.0.1)"
    failures = wait_until(lambda: _failures(board, "petra"), "a failed registration")
    assert [(each["user"], each["source"]) for each in failures] == [("petra", "127.0.0.1")]
    assert why in failures[0]["reason"]
    assert failures[0]["advice"][0].endswith("SWITCHBOARD_DOMAINS=office.test,pbx.office.local")
    assert why in board.cli("failures", "--user", "petra").stdout
    board.wait_said(("explain", "--user", "petra"), why)
    line = board.wait_logged("pbx.office.local:5070")
    assert "registers at a domain that is not ours" in line
    assert "SWITCHBOARD_DOMAINS" in line


def _failures(board: Switchboard, user: str) -> Any:
    return json.loads(board.cli("failures", "--user", user, "--json").stdout)["failures"]


def test_an_access_list(board: Switchboard, net: Net, lenka: UserAgent) -> None:
    outsider = UserAgent(net, "outsider", host="127.0.0.9")
    invite = outsider.invite(lenka.aor)
    invite.expect(403)
    sentence = "The access list keeps 127.0.0.9 out: deny 127.0.0.9/32 in [access.methods.INVITE]"
    assert_told(board, invite, sentence)


def test_a_phone_without_room(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    invite = lukas.invite(lenka.aor)
    lenka.expect("INVITE").reply(503, reason="Line Down")
    invite.expect(500)
    assert_told(board, invite, "(500 ", "answered 503 Line Down: it has no room")


def test_a_phone_that_forwards_to_where_nobody_is(
    board: Switchboard, lukas: UserAgent, lenka: UserAgent
) -> None:
    nowhere = f"sip:lenka@127.0.0.1:{free_port('127.0.0.1')}"
    invite = lukas.invite(lenka.aor)
    lenka.expect("INVITE").reply(302, reason="Moved", headers=[("Contact", f"<{nowhere}>")])
    invite.expect(500)
    moved = f"to {nowhere} (302 Moved), and nobody answered at"
    assert_told(board, invite, "forwarded the call", moved, "the port is closed")


def test_an_address_that_demands_encryption(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    invite = lukas.invite(lenka.aor.replace("sip:", "sips:"))
    invite.expect(416)
    assert_told(board, invite, "(416 ", "dialled a sips: address")


def test_a_contact_that_points_back(board: Switchboard, net: Net, lukas: UserAgent) -> None:
    looping = UserAgent(net, "looping")
    here = f"sip:{looping.user}@{lukas.domain}"
    looping.register([f"<{here}>"]).expect(200)
    invite = lukas.invite(looping.aor)
    invite.expect(482)
    assert_told(board, invite, "(482 ", f"in a circle: {here}")


def test_encrypted_voice_against_plain(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    invite = lukas.invite(lenka.aor, body=SECURE)
    lenka.expect("INVITE").reply(488, reason="Not Acceptable Here")
    invite.expect(488)
    assert_told(board, invite, "(488 ", "demands encrypted voice (RTP/SAVP)")
