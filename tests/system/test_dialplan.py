"""The dial plan of a running switchboard: numbers of users, a gateway, who may dial what, and `dialplan try`."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, free_port
from system.net import Net
from system.sipmsg import host_port
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

HOST = "127.0.0.1"


class Office(NamedTuple):
    board: Switchboard
    net: Net
    lukas: UserAgent
    lenka: UserAgent
    gateway: UserAgent


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """Lenka has the number 101; lukas may call abroad; the gateway is registered nowhere."""
    port = free_port(HOST)
    with Net((HOST, port)) as net:
        gateway = UserAgent(net, "gateway")
        to = f"sip:{host_port(gateway.address)}"
        plan = {
            "emergency": ["112"],
            "emergency_to": to,
            "rules": [
                {"name": "abroad", "match": "00*", "strip": 2, "prepend": "+", "to": to, "classes": ["boss"]},
                {"name": "premium", "match": "0900*", "to": "refuse:603"},
            ],
        }
        users = {f"lenka-{net.run}": {"numbers": ["101"]}, f"lukas-{net.run}": {"dial_class": "boss"}}
        environment = {"SWITCHBOARD_DIALPLAN": json.dumps(plan), "SWITCHBOARD_USERS": json.dumps(users)}
        with Switchboard(environment, port=port) as board:
            yield Office(board, net, registered(net, "lukas"), registered(net, "lenka"), gateway)


def test_a_number_calls_its_user(office: Office) -> None:
    invite = office.lukas.invite(f"sip:101@{HOST}")
    incoming = office.lenka.expect("INVITE")
    call = answer_call(office.lukas, invite, office.lenka, incoming)
    hang_up(call.callee, call.caller)


def test_a_call_by_the_gateway_and_its_end(office: Office) -> None:
    """The number that was dialled stays in To and in the journal; the Request-URI is the gateway's."""
    invite = office.lukas.invite(f"sip:00-33-123@{HOST}")
    incoming = office.gateway.expect("INVITE")
    assert incoming.request.uri == f"sip:+33123@{host_port(office.gateway.address)};user=phone"
    call = answer_call(office.lukas, invite, office.gateway, incoming)
    hang_up(call.caller, call.callee)
    record = office.board.wait_record(invite.request.call_id)
    assert record["outcome"] == "answered"
    assert record["callee"] == f"sip:00-33-123@{HOST}"


def test_who_may_not_and_what_nobody_may(office: Office) -> None:
    office.lenka.invite(f"sip:0033123@{HOST}").expect(403)
    office.lukas.invite(f"sip:09001234@{HOST}").expect(603)


def test_an_emergency_call_is_for_all_users(office: Office) -> None:
    invite = office.lenka.invite(f"sip:112@{HOST}")
    incoming = office.gateway.expect("INVITE")
    assert incoming.request.uri.startswith("sip:112@")
    call = answer_call(office.lenka, invite, office.gateway, incoming)
    hang_up(call.caller, call.callee)


def test_the_command_says_what_becomes_of_a_number(office: Office) -> None:
    lukas, lenka = office.lukas.user, office.lenka.user
    told = json.loads(office.board.cli("dialplan", "try", "0033123", "--as", lukas, "--json").stdout)
    assert told["steps"][-1]["rule"] == told["rule"] == "abroad"
    assert told["requests"] == [f"INVITE {told['uris'][0]} to {host_port(office.gateway.address)} over UDP"]
    told = json.loads(office.board.cli("dialplan", "try", "101", "--json").stdout)
    assert (told["user"], told["requests"]) == (lenka, [f"INVITE {office.lenka.contact}"])
    left = registered(office.net, "left")
    left.register(expires=0).expect(200)
    told = office.board.cli("dialplan", "try", left.user, check=False).stderr
    assert f"{left.user} is not registered now: 480" in told
    assert "Nobody is known as 4711: 404" in office.board.cli("dialplan", "try", "4711", check=False).stderr
    refused = office.board.cli("dialplan", "try", "0033123", "--as", lenka, check=False)
    assert refused.returncode == 1
    assert "refused with 403" in refused.stderr
    assert "is for boss only" in refused.stdout
