"""A flood of errors; what becomes of each is tested with edge-rx."""

import math
import select
import socket
from collections.abc import Iterator

import pytest
from flows import udp

from switchboard.edge.undeliverable import DEAF_S, ERRORS_A_ROUND, Undeliverable
from switchboard.transports.udp import UDP
from switchboard.transports.udp_datagrams import Sender
from switchboard.transports.udp_sockets import HAS_ERROR_QUEUE, bind_sockets

pytestmark = pytest.mark.skipif(not HAS_ERROR_QUEUE, reason="Linux tells errors")
MOST = 2 * ERRORS_A_ROUND - 1


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    sockets = bind_sockets("127.0.0.1", 0)
    yield sockets
    sockets[0].close()


@pytest.fixture
def errors(sockets: list[socket.socket]) -> Undeliverable:
    return Undeliverable(UDP, sockets, [], MOST)


def take(errors: Undeliverable, sockets: list[socket.socket], count: int, now: float) -> None:
    """So many errors come, and are taken in rounds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    (drain,) = errors.watch().values()
    for _ in range(count):
        assert Sender(sockets).send(b"no request", udp("127.0.0.1", port))
    for _ in range(count // ERRORS_A_ROUND + 1):
        drain(now)


def is_silent(sock: socket.socket) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return not poller.poll(20)


def test_a_flood_is_not_heard_for_a_while(errors: Undeliverable, sockets: list[socket.socket]) -> None:
    """It would take the room of datagrams in the kernel's buffer."""
    take(errors, sockets, MOST + 1, 100.5)
    assert errors.stats()["undeliverable_floods"] == 1
    assert errors.due_at == 100.5 + DEAF_S
    take(errors, sockets, 3, 101.0)
    errors.handle_timer(errors.due_at - 0.1)
    assert is_silent(sockets[0])
    assert errors.stats()["undeliverable_ignored"] == MOST + 1
    errors.handle_timer(errors.due_at)
    assert errors.due_at == math.inf
    take(errors, sockets, 3, 110.0)
    assert errors.stats()["undeliverable_ignored"] == MOST + 4


def test_as_many_in_more_than_a_second_are_no_flood(
    errors: Undeliverable, sockets: list[socket.socket]
) -> None:
    for now in (100.0, 101.0, 102.0):
        take(errors, sockets, MOST, now)
    assert errors.stats()["undeliverable_floods"] == 0
    assert errors.stats()["undeliverable_ignored"] == 3 * MOST
