"""What the kernel counts of a TCP connection."""

import socket
from collections.abc import Iterator

import pytest

from switchboard.transports.tcp_counts import NOTHING, counts_of


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as near,
    ):
        far, _ = listener.accept()
        with far:
            yield near, far


def test_one_that_was_just_accepted_has_none(pair: tuple[socket.socket, socket.socket]) -> None:
    assert counts_of(pair[1]) == NOTHING


def accepted(sock: socket.socket) -> int:
    try:
        return sock.send(bytes(50_000))
    except BlockingIOError:
        return 0


def test_the_kernel_counts_what_it_has_accepted(pair: tuple[socket.socket, socket.socket]) -> None:
    """Whether the peer has read it, or it waits."""
    near, far = pair
    near.setblocking(False)
    for sock in pair:
        before = counts_of(sock).accepted
        sock.setblocking(False)
        sent = 0
        while more := accepted(sock):
            sent += more
            assert counts_of(sock).accepted == before + sent
    far.recv(100_000)
    assert counts_of(near).accepted > 100_000


def test_the_kernel_counts_what_it_has_given() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as near,
    ):
        far, _ = listener.accept()
        with far:
            assert counts_of(far).consumed == 0
            near.sendall(bytes(100))
            assert len(far.recv(100, socket.MSG_PEEK)) == 100
            assert counts_of(far).consumed == 0
            far.recv(30)
            assert counts_of(far).consumed == 30
            near.shutdown(socket.SHUT_WR)
            far.recv(70)
            assert far.recv(1) == b""
            assert counts_of(far).consumed in (100, 101)
