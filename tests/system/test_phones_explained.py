"""What `explain` and `failures` say of real phones whose calls or registrations fail: Linphone, baresip and SIPp."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from system.baresip import Baresip
from system.harness import Switchboard, wait_until
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.sipp import SCENARIOS
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

PORT = 5062
"""Of SIPp."""
HOSTS = ["lukas", "petra", "stranger", "guest"]


@dataclass(frozen=True, slots=True)
class Office:
    """A switchboard, and a Linphone that is registered."""

    lan: Lan
    board: Switchboard
    home: Path
    lukas: Linphone


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("office")) as (stack, lan, home):
        board = stack.enter_context(Switchboard({}, host=HUB, port=5060, namespace=lan.hub))
        lukas = stack.enter_context(Linphone(lan, "lukas", home / "lukas"))
        yield Office(lan, board, home, lukas)


class open_office:
    """A LAN without a switchboard, and what is to be closed with it."""

    def __init__(self, home: Path) -> None:
        require_root()
        require_tools("ip", "linphonec", "sipp", "baresip")
        self._home = home
        self._stack = ExitStack()

    def __enter__(self) -> tuple[ExitStack, Lan, Path]:
        return self._stack, self._stack.enter_context(Lan(HOSTS)), self._home

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def sipp(office: Office, scenario: str, *options: str) -> subprocess.Popen[bytes]:
    """SIPp on the guest's host at PORT, for one call."""
    words = ["sipp", f"{HUB}:5060", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", "1", "-nostdin"]
    words += [
        "-i",
        office.lan.addresses["guest"],
        "-p",
        str(PORT),
        "-timeout",
        "20",
        "-timeout_error",
        *options,
    ]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(office.lan.command("guest", *words), cwd=office.home, stdout=quiet, stderr=quiet)


def answering(office: Office, scenario: str, *options: str) -> subprocess.Popen[bytes]:
    """The same, once it listens."""
    process, port = sipp(office, scenario, *options), f":{PORT:04X} "

    def listens() -> bool:
        done = subprocess.run(
            office.lan.command("guest", "cat", "/proc/net/udp"), capture_output=True, text=True, check=True
        )
        return port in done.stdout

    wait_until(listens, "SIPp at its port")
    return process


def register(office: Office, user: str, contact: str = "") -> None:
    """Register a user at this contact, or at SIPp's address."""
    own = f"sip:{user}@{office.lan.addresses['guest']}:{PORT}"
    keys = ["-key", "domain", HUB, "-key", "contact", contact or own]
    assert sipp(office, "register", "-s", user, *keys).wait(20) == 0


def wait_told(office: Office, user: str, *texts: str) -> str:
    """The account of the user's last call or registration, as soon as it has all texts."""
    return office.board.wait_said(("explain", "--user", user), *texts)


def test_a_call_to_a_port_that_is_closed(office: Office) -> None:
    register(office, "gone")
    office.lukas.wait_ended(office.lukas.call("gone"))
    nobody = f"Nobody is at {office.lan.addresses['guest']}:{PORT}, as the network says (ICMP)"
    wait_told(office, "gone", "the port is closed", nobody)


def test_an_address_that_asks_for_tcp(office: Office) -> None:
    """Nobody takes connections there. The advice is about that, and about nothing else."""
    asked = f"sip:tomas@{office.lan.addresses['guest']}:5999;transport=tcp"
    register(office, "tomas", asked)
    office.lukas.wait_ended(office.lukas.call("tomas"))
    said = wait_told(
        office,
        "tomas",
        f"The call was to go to {asked} over TCP, and no connection could be made to",
        "set another transport in it: ;transport=tcp is in its address",
    )
    assert "ICMP" not in said
    assert "NAT" not in said


def test_an_address_that_asks_for_tls_where_there_is_none(office: Office) -> None:
    asked = f"sip:tereza@{office.lan.addresses['guest']}:5999;transport=tls"
    register(office, "tereza", asked)
    office.lukas.wait_ended(office.lukas.call("tereza"))
    wait_told(
        office,
        "tereza",
        f"go to {asked}, which asks for TLS, and this switchboard does not speak that",
        "Set another transport in the phone that is to be called (;transport=tls is in its address)",
    )


def test_a_phone_on_tcp_that_has_gone_without_telling(office: Office) -> None:
    """It is registered, but its connection is gone, and nobody listens at its Contact."""
    phone = Linphone(office.lan, "stranger", office.home / "stranger", transport="tcp")
    phone.start()
    phone.wait_registered()
    phone.crash()
    office.lukas.wait_ended(office.lukas.call("stranger"))
    said = wait_told(office, "stranger", "over TCP", f"no connection could be made to {phone.address}:")
    assert "Call again" not in said


def test_a_call_that_is_forwarded_to_nowhere(office: Office) -> None:
    register(office, "away")
    nowhere = f"sip:away@{office.lan.addresses['guest']}:5999"
    with answering(office, "redirect", "-key", "contact", nowhere) as phone:
        office.lukas.wait_ended(office.lukas.call("away"))
        assert phone.wait(20) == 0
    wait_told(
        office,
        "away",
        f"to {nowhere} (302 Moved Temporarily), and nobody answered at",
        "Correct or switch off call forwarding in the phone of away.",
    )


def test_a_call_that_goes_in_a_circle(office: Office) -> None:
    """The phone registers the switchboard's own address as its contact."""
    here = f"sip:circle@{HUB}"
    register(office, "circle", here)
    office.lukas.wait_ended(office.lukas.call("circle"))
    wait_told(office, "circle", f"The call went in a circle: {here}")


def test_a_call_to_an_address_that_demands_encryption(office: Office) -> None:
    dialled = f"sips:lukas@{HUB}"
    dial = ["-s", "dialler", "-key", "uri", dialled]
    assert sipp(office, "dial", *dial).wait(20) == 0
    wait_told(office, "dialler", "dialled a sips: address, which demands encryption")


def test_encrypted_voice_against_plain(office: Office) -> None:
    """baresip without its SRTP module."""
    with Baresip(office.lan, "petra", "petra", office.home / "baresip"):
        assert sipp(office, "dial", "-s", "secret", "-key", "uri", f"sip:petra@{HUB}").wait(20) == 0
        refused = "secret's phone demands encrypted voice (RTP/SAVP), and petra's does not have it"
        wait_told(office, "secret", "(488 ", refused)


def test_passwords(tmp_path: Path) -> None:
    """A wrong one, and a name that nobody has: the operator is told the difference, the phone is not."""
    with open_office(tmp_path) as (stack, lan, home):
        settings = {"SWITCHBOARD_AUTH": "on"}
        board = stack.enter_context(Switchboard(settings, host=HUB, port=5060, namespace=lan.hub))
        board.cli("user", "add", "lukas", "--generate")
        for user in ("lukas", "stranger"):
            phone = Linphone(lan, user, home / user, password="guessed")
            phone.start()
            stack.callback(phone.stop)

        def failed(user: str) -> str | None:
            done = board.cli("failures", "--user", user, "--json")
            found = json.loads(done.stdout)["failures"]
            return " ".join([found[0]["reason"], *found[0]["advice"]]) if found else None

        wrong = wait_until(lambda: failed("lukas"), "a failed registration of lukas")
        unknown = wait_until(lambda: failed("stranger"), "a failed registration of a stranger")
    assert "password is wrong" in wrong
    assert "There is no user stranger" in unknown
    assert "switchboard user add stranger" in unknown
