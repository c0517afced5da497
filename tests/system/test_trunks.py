"""A trunk at a provider that challenges, restarts and is busy: registered, called out, called in, over kills."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from system.dialog import Call, answer_call, hang_up
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.provider import PASSWORD, REALM, Provider
from system.user_agent import SDP, ClientTransaction, UserAgent, registered

pytestmark = pytest.mark.system

HOST = "127.0.0.1"
NUMBER = "421255500101"
PATIENCE_S = 20.0
WORKERS = ("trunks", "router", "edge-rx", "edge-tx", "edge-stream", "registrar", "translator", "journal")


class Office(NamedTuple):
    board: Switchboard
    provider: Provider
    net: Net
    lukas: UserAgent
    outside: UserAgent

    def trunk(self) -> dict[str, Any]:
        (found,) = json.loads(self.board.cli("trunk", "list", "--json").stdout)["trunks"]
        return dict(found)

    def wait_registered(self) -> None:
        """Registered now, after all that has happened."""
        self.board.cli("trunk", "test", "provider", "--json", check=False)
        wait_until(lambda: self.trunk()["registered_s"] > 0 and not self.trunk()["refusal"], "a registration")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One provider with one phone behind it; calls with 0 go there."""
    directory, port = tmp_path_factory.mktemp("provider"), free_port(HOST)
    with Net((HOST, port), retransmits=True) as net:
        outside = UserAgent(net, "outside")
        with Provider(directory, outside.address) as provider:
            lukas = f"lukas-{net.run}"
            trunk = {
                "registrar": provider.place,
                "user": NUMBER,
                "domain": REALM,
                "caller": "+421255500100",
                "numbers": {f"+{NUMBER}": lukas},
                "keep_alive_s": 5,
            }
            password = directory / "password"
            password.write_text(f"{PASSWORD}\n")
            password.chmod(0o600)
            trunk["password_file"] = str(password)
            rules = [{"match": "0*", "strip": 1, "prepend": "+421", "to": "trunk:provider"}]
            environment = {
                "SWITCHBOARD_TRUNKS": json.dumps({"provider": trunk}),
                "SWITCHBOARD_DIALPLAN": json.dumps({"rules": rules}),
                "SWITCHBOARD_ROUTERS": "1",
            }
            with Switchboard(environment, port=port) as board:
                yield Office(board, provider, net, registered(net, "lukas"), outside)


def test_it_registers_and_says_so(office: Office) -> None:
    office.wait_registered()
    assert "is registered" in office.board.cli("trunk", "test", "provider").stderr
    doctor = json.loads(office.board.cli("doctor", "--json", check=False).stdout)
    assert [each["level"] for each in doctor["findings"] if each["check"] == "trunk"] == ["ok"]
    assert PASSWORD not in office.board.log()


def call_out(office: Office) -> Call:
    invite = office.lukas.invite(f"sip:0905123456@{HOST}")
    incoming = office.outside.expect("INVITE", PATIENCE_S)
    assert incoming.request.uri.startswith("sip:+421905123456@")
    assert "+421255500100@provider.example" in incoming.request.get("from")
    assert "lukas" not in incoming.request.get("from")
    return answer_call(office.lukas, invite, office.outside, incoming)


def dial_in(office: Office) -> ClientTransaction:
    uri, to = f"sip:{NUMBER}@{office.provider.place}", f"<sip:{NUMBER}@{REALM}>"
    invite = office.outside.request("INVITE", uri, body=SDP, to=to)
    return office.outside.start(invite, (office.provider.host, office.provider.port))


def call_in(office: Office) -> Call:
    invite = dial_in(office)
    return answer_call(office.outside, invite, office.lukas, office.lukas.expect("INVITE", PATIENCE_S))


def test_a_call_out_is_proved_and_ended_by_both_sides(office: Office) -> None:
    call = call_out(office)
    hang_up(call.caller, call.callee)
    call = call_out(office)
    hang_up(call.callee, call.caller)


def test_the_dial_plan_names_the_trunk(office: Office) -> None:
    told = json.loads(office.board.cli("dialplan", "try", "0905123456", "--json").stdout)
    uri = f"sip:+421905123456@{office.provider.place};user=phone"
    assert told["requests"] == [f"INVITE {uri} to {office.provider.place} over UDP by trunk provider"]


def test_a_call_in_goes_to_whose_number_it_is(office: Office) -> None:
    office.wait_registered()
    call = call_in(office)
    hang_up(call.caller, call.callee)


@pytest.mark.parametrize("worker", WORKERS)
def test_a_call_that_is_being_challenged_survives_a_kill(office: Office, worker: str) -> None:
    invite = office.lukas.invite(f"sip:0905123456@{HOST}")
    pid = office.board.kill(worker)
    incoming = office.outside.expect("INVITE", PATIENCE_S)
    call = answer_call(office.lukas, invite, office.outside, incoming)
    hang_up(call.callee, call.caller)
    office.board.wait_component(worker, lambda one: one["state"] == "up" and one["pid"] != pid)


def test_calls_and_the_registration_survive_a_kill_of_all_workers_at_once(office: Office) -> None:
    """One is up, one rings outside, one rings here."""
    office.wait_registered()
    out = call_out(office)
    ringing = office.lukas.invite(f"sip:0905123456@{HOST}")
    there = office.outside.expect("INVITE", PATIENCE_S)
    there.reply(180)
    ringing.expect(180)
    coming = dial_in(office)
    here = office.lukas.expect("INVITE", PATIENCE_S)
    here.reply(180)
    coming.expect(180)
    for worker in WORKERS:
        office.board.kill(worker)
    office.board.wait_up()
    hang_up(out.caller, out.callee)
    call = answer_call(office.lukas, ringing, office.outside, there)
    hang_up(call.callee, call.caller)
    call = answer_call(office.outside, coming, office.lukas, here)
    hang_up(call.caller, call.callee)
    assert office.trunk()["registered_s"] > 0
    call = call_in(office)
    hang_up(call.callee, call.caller)


def tried(office: Office) -> str:
    """What the command says of a registration that fails."""
    said = office.board.cli("trunk", "test", "provider", check=False)
    assert said.returncode == 1
    return said.stderr


def test_a_provider_that_forgot_us_and_one_that_is_busy(office: Office) -> None:
    office.provider.restart(busy=True)
    wait_until(lambda: "503 Overloaded" in tried(office), "a refusal")
    invite = office.lukas.invite(f"sip:0905123456@{HOST}")
    invite.expect(500)
    office.provider.restart()
    office.wait_registered()
    call = call_in(office)
    hang_up(call.caller, call.callee)


def test_keep_alives_find_out_that_a_provider_has_gone_and_come_back(office: Office) -> None:
    """It is killed and forgets us; the registration would last for minutes."""
    office.wait_registered()
    office.provider.crash()
    wait_until(lambda: office.trunk()["refusal"], "the word of it")
    assert office.trunk()["registered_s"] > 0
    office.provider.start()
    wait_until(lambda: not office.trunk()["refusal"], "a registration", 2 * PATIENCE_S)
    call = call_in(office)
    hang_up(call.callee, call.caller)


def test_a_password_that_is_wrong_is_told_in_words(office: Office) -> None:
    file = Path(json.loads(office.board.environment["SWITCHBOARD_TRUNKS"])["provider"]["password_file"])
    file.write_text("another\n")
    assert "does not take the password" in tried(office)
    refused = office.lukas.invite(f"sip:0905123456@{HOST}").expect(502)
    assert "Trunk provider Does Not Take Our Password" in str(refused)
    file.write_text(f"{PASSWORD}\n")
    office.wait_registered()
