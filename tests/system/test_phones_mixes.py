"""Phones of three makes on UDP, TCP and TLS call one another, while workers are killed in each phase of the call."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, permutations

import pytest
from system.baresip import Baresip
from system.handsets import Handset, OneLine
from system.harness import Switchboard, wait_until
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.pjsua import Pjsua
from system.test_calls_tcp import is_steady
from system.tools import require_modules, require_root, require_tools

from bench.blow import all_workers

pytestmark = [pytest.mark.system, pytest.mark.phones]

LINPHONES = {"linphone-udp": "udp", "linphone-tcp": "tcp", "linphone-tls": "tls"}
PJSUAS = {"pjsua2-tcp": "tcp", "pjsua2-tls": "tls"}
KINDS = [*LINPHONES, *PJSUAS, "baresip-outbound"]
OTHERS = [each for each in all_workers(1) if not each.startswith("edge-stream")]
MIXES = [(*pair, other) for pair, other in zip(permutations(KINDS, 2), cycle(OTHERS), strict=False)]
RING_S = 60


@dataclass(frozen=True)
class Office:
    """A phone of each kind on a LAN; the user is called as the kind."""

    lan: Lan
    board: Switchboard
    phones: Mapping[str, Handset]

    def connections(self) -> set[str]:
        """The phones' ends of all connections, as the kernel knows them."""
        command = self.lan.command("hub", "ss", "-Htn", "state", "established")
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return {line.split()[-1] for line in listed.splitlines()}

    def kill(self, *workers: str) -> None:
        """SIGKILL these."""
        for worker in workers:
            name, _, instance = worker.partition(".")
            self.board.kill(name, int(instance))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    require_root()
    require_tools("ip", "ss", "linphonec", "baresip")
    require_modules("pjsua2")
    home = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(KINDS))
        board = Switchboard({"SWITCHBOARD_TLS": "on"}, host=HUB, port=5060, namespace=lan.hub)
        trust = stack.enter_context(board).data_dir / "tls" / "ca.pem"
        phones: dict[str, Handset] = {}
        for kind, transport in LINPHONES.items():
            phone = Linphone(lan, kind, home / kind, transport=transport, authority=trust, ring_s=RING_S)
            phones[kind] = OneLine(stack.enter_context(phone))
        for kind, transport in PJSUAS.items():
            pjsua = Pjsua(lan, kind, kind, home / kind, transport, authority=trust)
            phones[kind] = stack.enter_context(pjsua)
        for kind in set(KINDS) - phones.keys():
            phones[kind] = stack.enter_context(Baresip(lan, kind, kind, home / kind, "tcp", outbound=True))
        yield Office(lan, board, phones)


@pytest.mark.parametrize(("caller", "callee", "other"), MIXES)
def test_a_call_outlives_workers_that_are_killed_in_each_phase(
    office: Office, caller: str, callee: str, other: str
) -> None:
    """No phone loses its connection: edge-stream dies, and another worker."""
    killed = ("edge-stream.0", other)
    ours, theirs = office.phones[caller], office.phones[callee]
    wait_until(lambda: is_steady(office.board, 0), "steady workers")
    before = office.connections()
    ours.call(theirs.user)
    office.kill(*killed)
    theirs.wait_incoming(ours.user)
    office.kill(*killed)
    theirs.answer()
    for phone in (ours, theirs):
        phone.wait_connected()
    office.kill(*killed)
    theirs.hang_up()
    ours.wait_ended()
    assert office.connections() == before
