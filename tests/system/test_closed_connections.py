"""Phones on TCP whose connections all end at once: who can be reached by nothing else is not registered any more."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from registrar.registers import register
from system.harness import Switchboard, wait_until
from system.net import PATIENCE_S, Net
from system.user_agent import registered

pytestmark = pytest.mark.system

PHONES = 200
HOST = "127.0.0.1"


@pytest.fixture
def connections(switchboard: Switchboard) -> Iterator[list[socket.socket]]:
    """The connections of phones that are registered, each with a Contact of a browser's kind."""
    with ExitStack() as stack:
        found = []
        for number in range(PHONES):
            phone = stack.enter_context(socket.create_connection(switchboard.address, PATIENCE_S))
            raw = register(f"<sip:{number}@x{number}.invalid;transport=tcp>", user=f"tcp{number}")
            raw = raw.replace(b"switchboard.test", HOST.encode()).replace(b"/UDP", b"/TCP")
            phone.sendall(raw.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"))
            found.append(phone)
        for phone in found:
            assert phone.recv(4096).startswith(b"SIP/2.0 200 ")
        yield found


def users(switchboard: Switchboard) -> set[str]:
    said = switchboard.cli("bindings", "--json", "--transport", "tcp").stdout
    return {each["user"] for each in json.loads(said)["bindings"]}


def test_they_are_unregistered_and_others_register_meanwhile(
    switchboard: Switchboard, net: Net, connections: list[socket.socket]
) -> None:
    assert users(switchboard) == {f"tcp{number}" for number in range(PHONES)}
    for phone in connections[1:]:
        phone.close()
    registered(net, "lukas")
    wait_until(lambda: users(switchboard) == {"tcp0"} or None, "the end of the others")
