"""pjsua2 on TCP and TLS: what it does when workers die, and when it loses its connection itself (RFC 5626)."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from system.harness import Switchboard, wait_until
from system.lan import HUB, Lan
from system.pjsua import Pjsua
from system.sipp import SCENARIOS
from system.test_calls_tcp import is_steady
from system.tools import require_modules, require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

SIPP_PORT = 5062
SIPP_S = 20.0
HOSTS = ["tomas", "terezia", "guest"]


@dataclass(frozen=True)
class Office:
    """A switchboard, and hosts for phones."""

    lan: Lan
    board: Switchboard
    home: Path

    def phone(self, user: str, transport: str, *, outbound: bool = True) -> Pjsua:
        """A phone on the host of that name, not yet started."""
        home = self.home / f"{user}-{len(list(self.home.iterdir()))}"
        trust = self.board.data_dir / "tls" / "ca.pem"
        return Pjsua(self.lan, user, user, home, transport, outbound=outbound, authority=trust)

    def binding(self, phone: Pjsua) -> dict[str, Any]:
        """What `switchboard bindings` says of its only binding."""
        said = self.board.cli("bindings", "--json", "--user", phone.user).stdout
        (found,) = json.loads(said)["bindings"]
        return dict(found)

    def reset(self, phone: Pjsua) -> None:
        """Let the phone find its connections broken, and the switchboard, too."""
        command = self.lan.command(phone.user, "ss", "-K", "dst", HUB)
        subprocess.run(command, check=True, capture_output=True)

    def wait_back(self, phone: Pjsua, before: dict[str, Any]) -> dict[str, Any]:
        """Return its binding once that has another connection."""
        phone.wait_registered()

        def back() -> dict[str, Any] | None:
            found = self.binding(phone)
            return found if found["source"] != before["source"] else None

        return wait_until(back, "another connection")

    def sipp(self, scenario: str, user: str, *options: str) -> subprocess.Popen[bytes]:
        """SIPp on the guest's host over TCP, for one call or registration of this user."""
        own = f"sip:{user}@{self.lan.addresses['guest']}:{SIPP_PORT};transport=tcp"
        words = ["sipp", f"{HUB}:5060", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-s", user, "-m", "1"]
        words += ["-i", self.lan.addresses["guest"], "-nostdin", "-timeout", f"{SIPP_S:g}", "-timeout_error"]
        words += ["-t", "tn", "-max_socket", "50", "-key", "domain", HUB, "-key", "contact", own, *options]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self.lan.command("guest", *words), cwd=self.home, stdout=quiet, stderr=quiet)

    def wait_listening(self) -> None:
        """SIPp waits for connections."""
        port, command = f":{SIPP_PORT} ", self.lan.command("guest", "ss", "-Htnl")

        def listens() -> bool:
            return port in subprocess.run(command, capture_output=True, text=True, check=True).stdout

        wait_until(listens, "SIPp at its port")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    require_root()
    require_tools("ip", "ss", "sipp")
    require_modules("pjsua2")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(HOSTS))
        board = Switchboard({"SWITCHBOARD_TLS": "on"}, host=HUB, port=5060, namespace=lan.hub)
        yield Office(lan, stack.enter_context(board), tmp_path_factory.mktemp("phones"))


@pytest.fixture(params=["tcp", "tls"])
def tomas(office: Office, request: pytest.FixtureRequest) -> Iterator[Pjsua]:
    with office.phone("tomas", request.param) as phone:
        yield phone


@pytest.fixture
def terezia(office: Office) -> Iterator[Pjsua]:
    with office.phone("terezia", "tls") as phone:
        yield phone


def connect(caller: Pjsua, callee: Pjsua) -> None:
    """A call that is established."""
    caller.call(callee.user)
    callee.wait_incoming(caller.user)
    caller.wait_ringing()
    callee.answer()
    for phone in (caller, callee):
        phone.wait_connected()


def end(by: Pjsua, other: Pjsua) -> None:
    """It hangs up."""
    by.hang_up()
    for phone in (by, other):
        phone.wait_ended()


def test_it_is_bound_to_its_connection(office: Office, tomas: Pjsua) -> None:
    binding = office.binding(tomas)
    assert binding["connection"] == "open"
    assert "reg-id=1" in binding["params"]
    wait_until(lambda: "\nRequire: outbound" in tomas.log(), "the answer in its log")


def test_it_notices_nothing_of_killed_workers(office: Office, tomas: Pjsua, terezia: Pjsua) -> None:
    """Between calls, and during one: nobody connects or registers again."""
    before = office.binding(tomas)["source"], office.binding(terezia)["source"]
    for caller, callee in ((tomas, terezia), (terezia, tomas)):
        wait_until(lambda: is_steady(office.board, 0), "steady workers")
        office.board.kill("edge-stream")
        connect(caller, callee)
        office.board.kill("edge-stream")
        end(terezia, tomas)
    assert (office.binding(tomas)["source"], office.binding(terezia)["source"]) == before
    assert len(tomas.registrations()) == len(terezia.registrations()) == 1


@pytest.mark.parametrize("outbound", [True, False])
def test_it_comes_back_over_another_connection_by_itself(
    office: Office, terezia: Pjsua, *, outbound: bool
) -> None:
    """Its Contact keeps the port of the connection that is gone, or it names two contacts: the connection counts."""
    with office.phone("tomas", "tcp", outbound=outbound) as tomas:
        first = office.binding(tomas)
        connect(terezia, tomas)
        office.reset(tomas)
        second = office.wait_back(tomas, first)
        end(terezia, tomas)
        named = re.findall(r"<sip:tomas@([0-9.:]+);", tomas.registrations()[-1])
        assert named == [first["source"]] if outbound else [second["source"], first["source"]]
        for caller, callee in ((tomas, terezia), (terezia, tomas)):
            connect(caller, callee)
            end(caller, callee)


def test_sipp_calls_it_over_tcp(office: Office, tomas: Pjsua) -> None:
    with office.sipp("caller", tomas.user) as sipp:
        tomas.wait_incoming("caller")
        tomas.answer()
        tomas.wait_ended()
        assert sipp.wait(SIPP_S) == 0


def test_it_calls_sipp_over_tcp(office: Office, tomas: Pjsua) -> None:
    """SIPp's connection is gone once it has registered; it listens at its Contact."""
    with office.sipp("register", "sipp", "-p", str(SIPP_PORT + 1)) as registered:
        assert registered.wait(SIPP_S) == 0
    with office.sipp("callee", "sipp", "-t", "t1", "-p", str(SIPP_PORT)) as sipp:
        office.wait_listening()
        tomas.call("sipp")
        tomas.wait_confirmed()
        tomas.hang_up()
        tomas.wait_ended()
        assert sipp.wait(SIPP_S) == 0
