"""Real phones on TCP: they register, call and are called, and what happens when their connections are reset."""

import json
import socket
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
from system.phone_lab import connect
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

ADDRESS = (HUB, 5060)
CLOSED_S = 10.0
"""Sooner than a stranger is closed for its silence."""
LIMIT = 50
"""Of connections from one host."""
BACK_S = 30.0
"""Linphone and pjsua2 register again within some seconds."""


@dataclass(frozen=True)
class Office:
    """Phones on a LAN, of which `lukas` and `lenka` speak TCP, `peter` UDP."""

    lan: Lan
    switchboard: Switchboard
    lukas: Linphone
    lenka: Linphone
    peter: Linphone

    def bindings(self, user: str) -> list[dict[str, Any]]:
        """What `switchboard bindings` says of a user."""
        said = self.switchboard.cli("bindings", "--json", "--user", user).stdout
        found: list[dict[str, Any]] = json.loads(said)["bindings"]
        return found

    def ways(self, user: str) -> list[tuple[str, str]]:
        """How the user is reached: transports, and whether their connections are open."""
        return [(each["transport"], each["connection"]) for each in self.bindings(user)]

    def sources(self, user: str) -> list[str]:
        """From where the user's REGISTERs came."""
        return [each["source"] for each in self.bindings(user)]

    def reset(self, address: str) -> None:
        """Both ends of the connections with this address are told that they are broken."""
        command = self.lan.command("hub", "ss", "-K", "dst", address)
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    require_root()
    require_tools("ip", "ss", "linphonec")
    home = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "peter", "guest"]))
        limit = {"SWITCHBOARD_MAX_CONNECTIONS_A_SOURCE": str(LIMIT)}
        board = stack.enter_context(Switchboard(limit, host=HUB, port=5060, namespace=lan.hub))
        lukas, lenka, peter = (
            stack.enter_context(Linphone(lan, user, home / user, transport=transport))
            for user, transport in (("lukas", "tcp"), ("lenka", "tcp"), ("peter", "udp"))
        )
        yield Office(lan, board, lukas, lenka, peter)


def call(caller: Linphone, callee: Linphone) -> None:
    """A call that is established and ended by the caller."""
    ours, theirs = connect(caller, callee)
    caller.hang_up(ours)
    assert caller.wait_ended(ours) == callee.wait_ended(theirs) == "No error"


def test_they_are_bound_to_their_connections(office: Office) -> None:
    assert office.ways("lukas") == office.ways("lenka") == [("TCP", "open")]
    assert office.ways("peter") == [("UDP", "")]


@pytest.mark.parametrize(("caller", "callee"), [("lukas", "lenka"), ("lukas", "peter"), ("peter", "lukas")])
def test_calls_in_all_mixes(office: Office, caller: str, callee: str) -> None:
    call(getattr(office, caller), getattr(office, callee))


def test_strangers_beyond_the_limit_end_no_connection_of_a_phone(office: Office) -> None:
    """Linphone registers again at once, and for ever, if it is closed after a 200."""
    before = office.sources("lukas")
    registrations = office.lukas.log().count("\nREGISTER sip:")
    with office.lan.entered("lukas"), ExitStack() as stack:
        strangers = [
            stack.enter_context(socket.create_connection(ADDRESS, CLOSED_S)) for _ in range(LIMIT + 20)
        ]
        assert strangers[0].recv(1) == b"", "the oldest stranger is closed"
    call(office.peter, office.lukas)
    assert office.sources("lukas") == before
    assert office.lukas.log().count("\nREGISTER sip:") == registrations


def test_linphone_comes_back_over_another_connection(office: Office) -> None:
    before = office.sources("lukas")
    office.reset(office.lukas.address)
    wait_until(
        lambda: office.ways("lukas") == [("TCP", "open")] and office.sources("lukas") != before,
        "another connection",
        BACK_S,
    )
    call(office.peter, office.lukas)


def test_a_call_goes_on_over_another_connection(office: Office) -> None:
    ours, theirs = connect(office.peter, office.lukas)
    before = office.sources("lukas")
    office.reset(office.lukas.address)
    wait_until(
        lambda: len(office.sources("lukas")) == 1 and office.sources("lukas") != before,
        "another connection",
        BACK_S,
    )
    office.peter.hang_up(ours)
    assert office.lukas.wait_ended(theirs) == "No error"


def test_baresip_is_reached_at_its_contact_without_a_connection(office: Office, tmp_path: Path) -> None:
    """It does not register again by itself for minutes, but it listens at the port of its Contact."""
    require_tools("baresip")
    with Baresip(office.lan, "guest", "martin", tmp_path / "baresip", "tcp") as martin:
        assert office.ways("martin") == [("TCP", "open")]
        office.reset(martin.address)
        wait_until(lambda: office.ways("martin") == [("TCP", "closed")], "the closed connection")
        ours = office.peter.call("martin")
        martin.wait_incoming("peter")
        martin.answer()
        office.peter.wait_media(ours)
        office.peter.hang_up(ours)
        martin.wait_ended()
        martin.call("lukas")
        theirs = office.lukas.wait_incoming("martin")
        office.lukas.answer(theirs)
        martin.wait_connected()
        office.lukas.hang_up(theirs)
        martin.wait_ended()


def test_the_flows_of_one_instance_are_one_phone(office: Office, tmp_path: Path) -> None:
    """RFC 5626: baresip registers two flows; it is called once."""
    require_tools("baresip")
    with Baresip(office.lan, "guest", "martin", tmp_path / "baresip", "tcp", outbound=True) as martin:
        wait_until(lambda: len(office.bindings("martin")) == 2, "both flows")
        reg_ids = [each["params"].rpartition(";reg-id=")[2] for each in office.bindings("martin")]
        assert sorted(reg_ids) == ["1", "2"]
        ours = office.peter.call("martin")
        martin.wait_incoming("peter")
        martin.answer()
        office.peter.wait_media(ours)
        office.peter.hang_up(ours)
        martin.wait_ended()
