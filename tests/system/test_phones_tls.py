"""Real phones on TLS: they trust the switchboard's authority, call and are called, and outlive the edge's workers."""

import json
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


@dataclass(frozen=True)
class Office:
    """Phones on a LAN, of which `lukas` and `lenka` speak TLS, `tomas` TCP, `peter` UDP."""

    lan: Lan
    switchboard: Switchboard
    lukas: Linphone
    lenka: Linphone
    tomas: Linphone
    peter: Linphone

    def connections(self, phone: Linphone | Baresip) -> list[dict[str, Any]]:
        """What `switchboard connections` says of a phone."""
        said = json.loads(self.switchboard.cli("connections", "--json").stdout)["connections"]
        return [each for each in said if each["host"] == phone.address]

    def ports(self, phone: Linphone) -> list[int]:
        """Those of its connections, once the worker tells."""
        return wait_until(lambda: [each["port"] for each in self.connections(phone)], "connections")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    require_root()
    require_tools("ip", "linphonec")
    home = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "tomas", "peter", "guest"]))
        board = stack.enter_context(
            Switchboard({"SWITCHBOARD_TLS": "on"}, host=HUB, port=5060, namespace=lan.hub)
        )
        authority = board.data_dir / "tls" / "ca.pem"
        phones = [
            stack.enter_context(Linphone(lan, user, home / user, transport=transport, authority=authority))
            for user, transport in (("lukas", "tls"), ("lenka", "tls"), ("tomas", "tcp"), ("peter", "udp"))
        ]
        yield Office(lan, board, *phones)


def call(caller: Linphone, callee: Linphone) -> None:
    """A call that is established and ended by the caller."""
    ours, theirs = connect(caller, callee)
    caller.hang_up(ours)
    assert caller.wait_ended(ours) == callee.wait_ended(theirs) == "No error"


def test_they_trust_our_authority(office: Office) -> None:
    (lukas,), (tomas,) = office.connections(office.lukas), office.connections(office.tomas)
    assert (lukas["transport"], lukas["cipher"][:5]) == ("TLS", "TLSv1")
    assert (tomas["transport"], tomas["cipher"]) == ("TCP", "")


@pytest.mark.parametrize(
    ("caller", "callee"),
    [("lukas", "lenka"), ("lukas", "peter"), ("peter", "lukas"), ("lukas", "tomas"), ("tomas", "lukas")],
)
def test_calls_in_all_mixes(office: Office, caller: str, callee: str) -> None:
    call(getattr(office, caller), getattr(office, callee))


def test_a_call_outlives_the_worker(office: Office) -> None:
    """Killed while it rings, and while it is up."""
    before = office.ports(office.lukas)
    ours = office.lukas.call("lenka")
    theirs = office.lenka.wait_incoming("lukas")
    office.switchboard.kill("edge-stream")
    office.lenka.answer(theirs)
    office.lukas.wait_media(ours)
    office.switchboard.kill("edge-stream")
    office.lenka.hang_up(theirs)
    assert office.lukas.wait_ended(ours) == "No error"
    assert office.ports(office.lukas) == before


def test_a_new_certificate_ends_no_connection(office: Office) -> None:
    before = office.ports(office.lukas)
    office.switchboard.cli("tls", "new")
    call(office.lenka, office.lukas)
    assert office.ports(office.lukas) == before


def test_baresip(office: Office, tmp_path: Path) -> None:
    require_tools("baresip")
    with Baresip(office.lan, "guest", "martin", tmp_path / "baresip", "tls") as martin:
        assert [each["transport"] for each in office.connections(martin)] == ["TLS"]
        ours = office.peter.call("martin")
        martin.wait_incoming("peter")
        martin.answer()
        office.peter.wait_media(ours)
        office.switchboard.kill("edge-stream")
        office.peter.hang_up(ours)
        martin.wait_ended()
        martin.call("lukas")
        theirs = office.lukas.wait_incoming("martin")
        office.lukas.answer(theirs)
        martin.wait_connected()
        office.lukas.hang_up(theirs)
        martin.wait_ended()
