"""Sockets lent over a Unix socket."""

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.transports.lending import LOOK_S, NAME, Borrower, Lender
from switchboard.transports.udp_sockets import bind_sockets


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        yield Path(directory) / NAME


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    sockets = bind_sockets("", 0)
    yield sockets
    for sock in sockets:
        sock.close()


def borrow(borrower: Borrower, lender: Lender) -> None:
    borrower.look(borrower.due_at)
    lender.lend()
    assert borrower.look(borrower.due_at)


def test_the_sockets_are_the_same(path: Path, sockets: list[socket.socket]) -> None:
    lender, borrower = Lender(path, sockets), Borrower(path)
    borrow(borrower, lender)
    assert [each.getsockname() for each in borrower.sockets] == [each.getsockname() for each in sockets]
    assert not any(each.get_inheritable() for each in borrower.sockets)
    assert not borrower.look(borrower.due_at)
    borrower.close()
    lender.close()


def test_several_borrow(path: Path, sockets: list[socket.socket]) -> None:
    lender = Lender(path, sockets)
    borrowers = [Borrower(path), Borrower(path)]
    for each in borrowers:
        borrow(each, lender)
    borrowers[0].close()
    lender.lend()
    assert not borrowers[1].look(borrowers[1].due_at)
    assert borrowers[1].sockets
    borrowers[1].close()
    lender.close()


def test_they_are_let_go_of_when_the_lender_has_gone_and_asked_for_again(
    path: Path, sockets: list[socket.socket]
) -> None:
    lender, borrower = Lender(path, sockets), Borrower(path)
    borrow(borrower, lender)
    first = borrower.sockets
    lender.close()
    assert borrower.look(borrower.due_at)
    assert borrower.sockets == []
    assert [each.fileno() for each in first] == [-1] * len(first)
    again = Lender(path, sockets)
    borrow(borrower, again)
    assert borrower.sockets
    borrower.close()
    again.close()


def test_without_a_lender_it_looks_from_time_to_time(path: Path) -> None:
    borrower = Borrower(path)
    now = time.monotonic()
    assert not borrower.look(now)
    assert borrower.due_at == now + LOOK_S
    assert not borrower.look(now)


def test_the_descriptor_tells_who_comes(path: Path, sockets: list[socket.socket]) -> None:
    lender, borrower = Lender(path, sockets), Borrower(path)
    borrower.look(borrower.due_at)
    ((fd, lend),) = lender.watch().items()
    assert fd >= 0
    lend()
    assert borrower.look(borrower.due_at)
    borrower.close()
    lender.close()
