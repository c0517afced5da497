"""Phones on TCP whose connections all end at once: who can be reached by nothing else is not registered any more."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from registrar.registers import register
from system.harness import Switchboard, wait_until
from system.net import PATIENCE_S, Net
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

PHONES = 200
HOST = "127.0.0.1"


def browser(number: int) -> bytes:
    """The REGISTER of a phone with a Contact of a browser's kind."""
    raw = register(f"<sip:{number}@x{number}.invalid;transport=tcp>", user=f"browser-{number}")
    raw = raw.replace(b"switchboard.test", HOST.encode()).replace(b"/UDP", b"/TCP")
    return raw.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def connections(switchboard: Switchboard) -> Iterator[list[socket.socket]]:
    """Those of phones that are registered."""
    with ExitStack() as stack:
        found = []
        for number in range(PHONES):
            phone = stack.enter_context(socket.create_connection(switchboard.address, PATIENCE_S))
            phone.sendall(browser(number))
            found.append(phone)
        for phone in found:
            assert phone.recv(4096).startswith(b"SIP/2.0 200 ")
        yield found


def users(switchboard: Switchboard) -> set[str]:
    said = switchboard.cli("bindings", "--json", "--transport", "tcp", "--user", "browser-*").stdout
    return {each["user"] for each in json.loads(said)["bindings"]}


def test_they_are_unregistered_and_others_register_meanwhile(
    switchboard: Switchboard, net: Net, connections: list[socket.socket]
) -> None:
    assert users(switchboard) == {f"browser-{number}" for number in range(PHONES)}
    for phone in connections[1:]:
        phone.close()
    registered(net, "lukas")
    wait_until(lambda: users(switchboard) == {"browser-0"}, "the end of the others")


def test_after_a_restart_of_all_a_phone_that_is_gone_is_told_of_by_the_first_call(tmp_path: Path) -> None:
    """Nobody has told of the end of its connection: 480 at once, and it is not registered any more."""
    with (
        Switchboard(data_dir=tmp_path) as board,
        socket.create_connection(board.address, PATIENCE_S) as phone,
    ):
        phone.sendall(browser(1))
        assert phone.recv(4096).startswith(b"SIP/2.0 200 ")
        board.crash()
    with Switchboard(data_dir=tmp_path, port=board.port) as again, Net(again.address) as net:
        assert users(again) == {"browser-1"}
        UserAgent(net, "lukas").ask("MESSAGE", f"sip:browser-1@{HOST}").expect(480)
        wait_until(lambda: not users(again), "the end of its registration")
