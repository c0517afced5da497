"""A trunk that registers over TCP, or TLS, at a provider who calls over that connection only: it ends in many ways."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from system.access import free_ports
from system.harness import Switchboard, free_port, wait_until
from system.middlebox import Middlebox
from system.net import Net
from system.provider import PASSWORD, REALM, Provider
from system.user_agent import SDP, UserAgent, registered

from switchboard.transports.certificates import issue, make_authority, new_key

pytestmark = pytest.mark.system

HOST, AWAY = "127.0.0.1", "127.0.0.2"
"""No connection is made to other services at our own address."""
NUMBER = "421255500101"
PATIENCE_S = 30.0
SOON_S = 5.0


class Office(NamedTuple):
    board: Switchboard
    provider: Provider
    middlebox: Middlebox
    net: Net
    lukas: UserAgent
    outside: UserAgent

    def trunk(self) -> dict[str, Any]:
        (found,) = json.loads(self.board.cli("trunk", "list", "--json").stdout)["trunks"]
        return dict(found)

    def wait_registered(self, connections: int) -> None:
        """Registered, over so many connections in turn at least."""
        try:
            wait_until(
                lambda: self.middlebox.accepted >= connections and self.is_whole(),
                "a registration",
                PATIENCE_S,
            )
        except AssertionError as error:
            error.add_note(f"{self.trunk()}, {self.middlebox.accepted} connections\n{self.board.log()}")
            raise

    def is_whole(self) -> bool:
        """Whether the trunk is registered, nothing is wrong with it, and nothing will be done soon."""
        trunk = self.trunk()
        return trunk["registered_s"] > 0 and not trunk["refusal"] and (trunk["next_s"] or 0) > SOON_S

    def check_called(self) -> None:
        """A call from outside rings here; who calls gives up."""
        uri, to = f"sip:{NUMBER}@{self.provider.place}", f"<sip:{NUMBER}@{REALM}>"
        invite = self.outside.request("INVITE", uri, body=SDP, to=to)
        ringing = self.outside.start(invite, (self.provider.host, self.provider.port))
        here = self.lukas.expect("INVITE", PATIENCE_S)
        here.reply(180)
        ringing.expect(180)
        cancel = self.outside.start(ringing.cancel_request(), (self.provider.host, self.provider.port))
        cancel.expect(200)
        self.lukas.expect("CANCEL").reply(200, routes=False)
        here.reply(487)
        ringing.expect(487)


@pytest.fixture(scope="module", params=["tcp", "tls"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One provider with one phone behind it; it grants ten minutes, far more than any of these tests takes."""
    directory, port, ports = tmp_path_factory.mktemp("provider"), free_port(HOST), free_ports()
    with ExitStack() as stack:
        net = stack.enter_context(Net((HOST, port), retransmits=True))
        outside = UserAgent(net, "outside")
        provider = stack.enter_context(Provider(directory, outside.address, AWAY, streams=True))
        certificate = make_certificate(directory) if request.param == "tls" else None
        middlebox = stack.enter_context(Middlebox((AWAY, provider.port), certificate))
        trunk = {
            "registrar": f"{AWAY}:{middlebox.port}",
            "transport": request.param,
            "user": NUMBER,
            "domain": REALM,
            "numbers": {f"+{NUMBER}": f"lukas-{net.run}"},
            "keep_alive_s": 5,
        }
        environment = {
            **ports.environment,
            "SWITCHBOARD_TRUNKS": json.dumps({"provider": trunk}),
            "SWITCHBOARD_TLS_VERIFY": "false",
            "SWITCHBOARD_ROUTERS": "1",
            "SWITCHBOARD_T1_S": "0.1",
        }
        board = Switchboard(environment, port=port)
        (board.data_dir / "trunks").mkdir(parents=True)
        password = board.data_dir / "trunks" / "provider.password"
        password.write_text(f"{PASSWORD}\n")
        password.chmod(0o600)
        stack.enter_context(board)
        office = Office(board, provider, middlebox, net, registered(net, "lukas"), outside)
        office.wait_registered(1)
        yield office


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for AWAY, and its key."""
    now, authority, key = datetime.now(UTC), new_key(), new_key()
    pem = issue(make_authority(authority, "test", now), authority, key, [AWAY], now)
    files = directory / "certificate.pem", directory / "key.pem"
    for file, content in zip(files, (pem, key), strict=True):
        file.write_bytes(content)
    return files


def test_a_call_comes_over_the_connection(office: Office) -> None:
    office.check_called()


def test_its_provider_is_killed_and_started_anew(office: Office) -> None:
    before = office.middlebox.accepted
    office.provider.crash()
    wait_until(lambda: office.trunk()["refusal"], "the word of it")
    office.provider.start()
    office.wait_registered(before + 1)
    office.check_called()


def test_its_connection_is_dropped(office: Office) -> None:
    before = office.middlebox.accepted
    office.middlebox.drop()
    office.wait_registered(before + 1)
    office.check_called()


def test_its_connection_is_dropped_while_edge_stream_is_away(office: Office) -> None:
    before = office.middlebox.accepted
    pid = office.board.hang("edge-stream")
    office.middlebox.drop()
    office.board.kill("edge-stream")
    office.board.wait_component("edge-stream", lambda one: one["state"] == "up" and one["pid"] != pid)
    office.wait_registered(before + 1)
    office.check_called()


@pytest.mark.parametrize("worker", ["edge-stream", "trunks", "router"])
def test_a_worker_is_killed(office: Office, worker: str) -> None:
    pid = office.board.kill(worker)
    office.board.wait_component(worker, lambda one: one["state"] == "up" and one["pid"] != pid)
    office.wait_registered(1)
    office.check_called()


def test_its_connection_is_dropped_and_trunks_is_killed(office: Office) -> None:
    before = office.middlebox.accepted
    office.board.hang("trunks")
    office.middlebox.drop()
    office.board.kill("trunks")
    office.wait_registered(before + 1)
    office.check_called()


def test_nothing_passes_over_its_connection_any_more(office: Office) -> None:
    before = office.middlebox.accepted
    office.middlebox.is_silent = True
    office.wait_registered(before + 1)
    office.check_called()
