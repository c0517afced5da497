"""The edge's parent itself ends, and systemd, whose part somebody plays, keeps the connections for the next one."""

import json
import os
import signal
import socket
from collections.abc import Iterator

import psutil
import pytest
from system.dialog import hang_up, place_call
from system.harness import INIT_SYSTEM, wait_until
from system.net import PATIENCE_S, Net
from system.stream_agent import registered_on_stream
from system.test_calls_tls import Board
from system.user_agent import registered

pytestmark = pytest.mark.system

UP_AGAIN_S = 20.0


def keeper_of(board: Board) -> int:
    """The edge's parent."""
    pid = board.component("edge-stream")["pid"]
    assert pid
    return psutil.Process(pid).ppid()


def wait_for_another(board: Board, keeper: int) -> None:
    """Return when there is another parent, and its edge-stream is up."""

    def is_there() -> bool:
        found = [each for each in board.components() if each["name"] == "edge-stream"]
        return any(each["state"] == "up" and psutil.Process(each["pid"]).ppid() != keeper for each in found)

    wait_until(is_there, "another edge-stream", UP_AGAIN_S)


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    with Board(INIT_SYSTEM) as board:
        yield board


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_connections_and_calls_outlive_the_parent(board: Board, number: signal.Signals) -> None:
    with Net(board.address) as net:
        caller, callee = board.phone(net, "kristian"), registered_on_stream(net, "lukas")
        call = place_call(caller, callee)
        keeper = keeper_of(board)
        os.kill(keeper, number)
        wait_for_another(board, keeper)
        asked = [caller.ask("MESSAGE", callee.aor), callee.ask("MESSAGE", caller.aor)]
        for phone, each in zip((callee, caller), asked, strict=True):
            phone.expect("MESSAGE", UP_AGAIN_S).reply(200)
            each.expect(200)
        hang_up(call.callee, call.caller)
        place_call(registered(net, "zuzana"), callee)
        assert not caller.connection.is_closed
        assert not callee.connection.is_closed


def test_who_has_gone_meanwhile_is_not_kept(board: Board) -> None:
    with Net(board.address) as net:
        phone = registered_on_stream(net, "lukas")
        port = phone.address[1]
        phone.connection.reset()

        def is_gone() -> bool:
            listed = json.loads(board.cli("connections", "--json").stdout)["connections"]
            return port not in [each["port"] for each in listed]

        wait_until(is_gone, "the end of the connection")


def test_a_stranger_is_not_kept(board: Board) -> None:
    """His connection ends with the parent."""
    with socket.create_connection(board.address, PATIENCE_S) as stranger:
        keeper = keeper_of(board)
        os.kill(keeper, signal.SIGTERM)
        stranger.settimeout(UP_AGAIN_S)
        assert stranger.recv(1) == b""
        wait_for_another(board, keeper)
