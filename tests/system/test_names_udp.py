"""Calls by name: past a server where nobody is, and while another user asks for names that nobody answers."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

import pytest
from name_server import NameServer, name_server
from system.harness import PATIENCE_S, Switchboard, wait_until
from system.lan import NETWORK, Lan
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.alone]

BOARD, GREEDY, MODEST, CALLEE = "board", "greedy", "modest", "callee"
NAMES = 1_140
AT_ONCE_S = 4.0
IN_FLIGHT = 20
"""After so many something has to come back: the kernel's buffer does not hold all."""


class Scene:
    """The switchboard, its name server, and three others in a LAN."""

    def __init__(self, lan: Lan, board: Switchboard, server: NameServer) -> None:
        self.lan = lan
        self.board = board
        self.server = server
        self.sockets = {name: self._open(name) for name in (GREEDY, MODEST, CALLEE)}

    def _open(self, name: str) -> socket.socket:
        with self.lan.entered(name):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind((self.lan.addresses[name], 5060))
        opened.settimeout(PATIENCE_S)
        return opened

    def invite(self, name: str, uri: str) -> None:
        host, mark = self.lan.addresses[name], token_hex(8)
        lines = (
            f"INVITE {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{mark}",
            "Max-Forwards: 70",
            f"From: <sip:{name}@{host}>;tag={mark}",
            f"To: <{uri}>",
            f"Call-ID: {mark}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{name}@{host}:5060>",
            "Content-Length: 0",
        )
        self.sockets[name].sendto("\r\n".join((*lines, "", "")).encode(), self.board.address)

    def hear(self, line: str) -> None:
        """Wait until the callee gets a request that begins like this; others may come again meanwhile."""
        while not self.sockets[CALLEE].recv(65_535).startswith(line.encode()):
            pass

    def notes(self) -> list[str]:
        return [note for each in self.board.status() for note in each["notes"] if "looked up" in note]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    require_root()
    require_tools("ip")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan([BOARD, GREEDY, MODEST, CALLEE]))
        resolver = Path("/etc/netns", lan.namespace(BOARD))
        resolver.mkdir(parents=True)
        stack.callback(resolver.rmdir)
        stack.callback((resolver / "resolv.conf").unlink)
        (resolver / "resolv.conf").write_text("nameserver 127.0.0.53\n")
        with lan.entered(BOARD):
            server = stack.enter_context(name_server("127.0.0.53", 53))
        server.records = {
            ("callee.example.", "A"): [lan.addresses[CALLEE]],
            ("_sip._udp.two.example.", "SRV"): ["1 0 5999 host.example.", "2 0 5060 host.example."],
            ("host.example.", "A"): [lan.addresses[CALLEE]],
        }
        environment = {"SWITCHBOARD_RELAY": "open", "SWITCHBOARD_RATE_EXEMPT": f"{NETWORK}.0/24"}
        board = Switchboard(environment, host=lan.addresses[BOARD], port=5060, namespace=lan.namespace(BOARD))
        scene = Scene(lan, stack.enter_context(board), server)
        for each in scene.sockets.values():
            stack.callback(each.close)
        yield scene


def test_the_next_server_is_asked_where_the_first_one_is_closed(scene: Scene) -> None:
    """The kernel of the callee says by ICMP that nobody is at the port; timer A would send there again."""
    for _ in range(2):
        scene.invite(MODEST, "sip:x@two.example")
        scene.hear("INVITE sip:x@two.example")


def test_a_thousand_names_that_nobody_answers_delay_nobody_else(scene: Scene) -> None:
    for number in range(NAMES):
        scene.invite(GREEDY, f"sip:x@n{number}.silent")
        if number % IN_FLIGHT == 0:
            scene.sockets[GREEDY].recv(65_535)
    began_at = time.monotonic()
    scene.invite(MODEST, "sip:x@callee.example")
    scene.sockets[CALLEE].settimeout(AT_ONCE_S)
    scene.hear("INVITE sip:x@callee.example")
    assert time.monotonic() - began_at < AT_ONCE_S
    assert scene.server.asked["callee.example.", "A"] == 1
    (note,) = wait_until(lambda: scene.notes(), "a note of the silent server")
    assert "to which no name server had an answer in time" in note
