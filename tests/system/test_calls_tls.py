"""Calls over TLS, and between TLS, TCP and UDP; the worker that has the connections is killed at any moment."""

import ssl
from collections.abc import Iterator, Sequence

import pytest
from system.dialog import hang_up, place_call
from system.harness import HONCHO, Switchboard, free_port, wait_until
from system.net import Net
from system.stream_agent import registered_on_stream
from system.test_calls_tcp import count_of, is_steady
from system.tls_agent import TlsAgent, TlsEndpoint
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

KILLS = 4


class Board(Switchboard):
    """One with TLS; `tls_port` is its own."""

    def __init__(self, runner: Sequence[str] = HONCHO) -> None:
        self.tls_port = free_port("127.0.0.1")
        settings = {"SWITCHBOARD_TLS": "on", "SWITCHBOARD_TLS_PORT": str(self.tls_port)}
        super().__init__(settings, runner=runner)

    def phone(self, net: Net, name: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> TlsAgent:
        """A phone on TLS whose contact the switchboard knows."""

        class Agent(TlsAgent):
            class endpoint(TlsEndpoint):  # noqa: N801
                authority = self.data_dir / "tls" / "ca.pem"

        Agent.endpoint.version = version
        phone = Agent(net, name, proxy=("127.0.0.1", self.tls_port))
        phone.register().expect(200)
        return phone


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    with Board() as board:
        yield board


@pytest.fixture
def net(board: Board) -> Iterator[Net]:
    with Net(board.address) as net:
        yield net


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kinds", ["tls-udp", "udp-tls", "tls-tcp", "tcp-tls", "tls-tls"])
def test_a_call(board: Board, net: Net, kinds: str, version: ssl.TLSVersion) -> None:
    def make(kind: str, name: str) -> UserAgent:
        if kind == "tls":
            return board.phone(net, name, version)
        return (registered if kind == "udp" else registered_on_stream)(net, name)

    first, second = kinds.split("-")
    call = place_call(make(first, "kristian"), make(second, "lukas"))
    hang_up(call.callee, call.caller)
    record = board.wait_record(call.call_id)
    assert (record["outcome"], record["status"], record["ended_by"]) == ("answered", 200, "callee")


def test_killed_workers_lose_no_connection_and_no_message() -> None:
    with Board() as board, Net(board.address) as net:
        pairs = [(board.phone(net, f"caller{each}"), board.phone(net, f"callee{each}")) for each in range(5)]
        call = place_call(*pairs[0])
        for kill in range(KILLS):
            asked = [caller.ask("MESSAGE", callee.aor) for caller, callee in pairs]
            board.kill("edge-stream")
            more = [caller.ask("MESSAGE", callee.aor) for caller, callee in pairs]
            for _, callee in pairs:
                for _ in range(2):
                    callee.expect("MESSAGE", timeout_s=20.0).reply(200)
            for each in asked + more:
                each.expect(200, timeout_s=20.0)
            wait_until(lambda n=kill + 1: is_steady(board, n), "a steady worker")  # type: ignore[misc]
        hang_up(call.caller, call.callee)
        assert not any(each.connection.is_closed for pair in pairs for each in pair)
        assert count_of(board) == 2 * len(pairs)


def test_all_is_there_after_a_restart_of_everything(board: Board, net: Net) -> None:
    caller, callee = board.phone(net, "kristian"), board.phone(net, "lukas")
    call = place_call(caller, callee)
    board.cli("restart", "--all")
    hang_up(call.callee, call.caller)
    place_call(callee, caller)
    assert not caller.connection.is_closed
    assert not callee.connection.is_closed
