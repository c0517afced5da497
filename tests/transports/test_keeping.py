"""The keeper of connections over real sockets; it runs in a thread."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from transports.keepers import KeeperThread

from switchboard.sip.flow import TCP, TLS, WS, WSS
from switchboard.transports import kept
from switchboard.transports.keeper_link import KeeperLink
from switchboard.transports.keeper_words import Given, lend, visit
from switchboard.transports.kept import Kept

LIMIT_S = 20.0
MANY = 80
"""Connections on their way; more than may wait to be told of."""


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        yield Path(directory)


@pytest.fixture
def make(directory: Path) -> Iterator[Callable[..., KeeperThread]]:
    made: list[KeeperThread] = []

    def make(**limits: Any) -> KeeperThread:
        made.append(KeeperThread(directory / "s", **limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Stream:
    """An edge-stream that does nothing but take what it is given."""

    def __init__(self, directory: Path, instance: int = 0) -> None:
        self.link = KeeperLink(directory / "s", instance)
        self.given: list[Given] = []
        self.fds: list[int] = []

    def until(self, check: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not check():
            assert time.monotonic() < deadline
            for given, fd in self.link.hear():
                self.given.append(given)
                self.fds.append(fd)
            self.link.flush()

    def close(self) -> None:
        self.link.close()
        for fd in self.fds:
            os.close(fd)


def closed(phone: socket.socket) -> bool:
    phone.settimeout(LIMIT_S)
    try:
        return phone.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_successor_gets_all_connections(
    make: Callable[..., KeeperThread], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "AT_ONCE", MANY)
    keeper = make()
    phones = [keeper.connect() for _ in range(2 * MANY + 1)]
    first = Stream(directory)
    first.until(lambda: len(first.given) == len(phones))
    assert {(transport, stranger, before) for _, transport, _, stranger, before, *_ in first.given} == {
        (TCP, True, False)
    }
    first.link.tell_known(first.given[0][0])
    first.link.flush()
    first.close()
    second = Stream(directory)
    second.until(lambda: second.link.is_complete)
    assert [each[:3] for each in second.given] == [each[:3] for each in first.given]
    assert all(each[4] for each in second.given)
    assert {each[6] for each in second.given} == {each.getsockname()[1] for each in phones}
    phones[5].sendall(b"x")
    by_port = {socket.socket(fileno=os.dup(fd)) for fd in second.fds}
    ports = {each.getpeername()[1] for each in by_port}
    assert ports == {each.getsockname()[1] for each in phones}
    for each in (*by_port, *phones):
        each.close()
    second.close()


def test_connections_are_shared_out(make: Callable[..., KeeperThread], directory: Path) -> None:
    keeper = make(streams=2)
    streams = [Stream(directory, number) for number in range(2)]
    phones = [keeper.connect() for _ in range(6)]
    for each in streams:
        each.until(lambda each=each: len(each.given) == 3)  # type: ignore[misc]
        each.close()
    for phone in phones:
        phone.close()


class Shelf:
    """A store in this process."""

    def __init__(self) -> None:
        self.tables: dict[int, int] = {}
        self.connections: dict[tuple[int, bytes], Kept] = {}

    def take_tables(self) -> dict[int, int]:
        return {number: os.dup(fd) for number, fd in self.tables.items()}

    def take_connections(self) -> list[tuple[int, bytes, Kept]]:
        return [(*name, kept._replace(fd=os.dup(kept.fd))) for name, kept in self.connections.items()]

    def keep_table(self, stream: int, fd: int) -> None:
        self.tables[stream] = os.dup(fd)

    def keep(self, stream: int, serial: bytes, kept: Kept) -> None:
        assert (stream, serial) not in self.connections
        self.connections[stream, serial] = kept._replace(fd=os.dup(kept.fd))

    def forget(self, stream: int, serial: bytes, kept: Kept) -> None:
        stored = self.connections.pop((stream, serial))
        assert stored[1:4] == kept[1:4]
        os.close(stored.fd)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    yield shelf
    for fd in (*shelf.tables.values(), *(each.fd for each in shelf.connections.values())):
        os.close(fd)


def test_the_next_keeper_gets_what_is_no_strangers(
    make: Callable[..., KeeperThread], directory: Path, shelf: Shelf
) -> None:
    keeper = make(store=shelf, streams=2)
    phones = [keeper.connect() for _ in range(3)]
    first = Stream(directory)
    first.until(lambda: len(first.given) == 2)
    serials = [each[0] for each in first.given]
    for _ in range(2):
        first.link.tell_known(serials[1])
    first.link.flush()
    first.close()
    keeper.close()
    assert list(shelf.connections) == [(0, serials[1])]
    assert closed(phones[0])
    make(store=shelf)
    second = Stream(directory)
    second.until(lambda: second.link.is_complete)
    (given,) = second.given
    assert given[:2] == [serials[1], TCP]
    assert given[3:5] == [False, True]
    second.link.tell_ended(serials[1])
    second.until(lambda: not shelf.connections)
    second.close()
    for each in phones:
        each.close()


@pytest.mark.parametrize("has_table", [True, False])
def test_of_a_stream_that_is_no_more_nothing_is_kept(
    make: Callable[..., KeeperThread], shelf: Shelf, has_table: bool
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        shelf.keep(1, b"12345678", Kept(ours.fileno(), TCP, "127.0.0.1", 5060, 1.0))
        if has_table:
            table = os.memfd_create("table")
            shelf.keep_table(1, table)
            os.close(table)
        keeper = make(store=shelf, streams=1 if has_table else 2)
    assert not shelf.connections
    assert keeper.keeper.count == 0


def test_a_connection_that_we_made_is_kept(make: Callable[..., KeeperThread], directory: Path) -> None:
    keeper = make()
    first = Stream(directory)
    first.until(lambda: first.link.is_complete)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as made,
    ):
        first.link.tell_made(b"12345678", TCP, "127.0.0.1", 9, 5.0, made.fileno())
        first.close()
        second = Stream(directory)
        second.until(lambda: second.link.is_complete)
        assert second.given == [[b"12345678", TCP, 5.0, False, True, "127.0.0.1", 9, "", []]]
        second.close()
        assert keeper.keeper.count == 1


@pytest.mark.parametrize("limit", ["most", "most_of_source"])
def test_connections_that_we_make_have_the_same_limits(
    make: Callable[..., KeeperThread], directory: Path, limit: str
) -> None:
    keeper = make(**{limit: 1})
    stream = Stream(directory)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = [socket.create_connection(listener.getsockname(), LIMIT_S) for _ in range(2)]
        for number, each in enumerate(made):
            stream.link.tell_made(b"1234567%d" % number, TCP, "127.0.0.1", 9, 5.0, each.fileno())
        assert closed(made[1])
        assert (keeper.keeper.count, keeper.keeper.refused) == (1, 1)
        for each in made:
            each.close()
    stream.close()


def test_a_connection_that_somebody_else_has_accepted_is_kept(
    make: Callable[..., KeeperThread], directory: Path
) -> None:
    make()
    stream = Stream(directory)
    with socket.create_server(("127.0.0.1", 0)) as console:
        phone = socket.create_connection(console.getsockname())
        taken, _ = console.accept()
        port = phone.getsockname()[1]
        with visit(directory / "s") as desk, taken:
            lend(desk, taken, WS, "192.0.2.7")
    stream.until(lambda: len(stream.given) == 1)
    _, transport, _, *rest = stream.given[0]
    assert (transport, rest) == (WS, [True, True, "192.0.2.7", port, "", []])
    with socket.socket(fileno=os.dup(stream.fds[0])) as given:
        phone.sendall(b"hello")
        assert given.recv(5) == b"hello"
    phone.close()
    stream.close()


def test_what_was_handed_with_it_is_given_until_somebody_has_it(
    make: Callable[..., KeeperThread], directory: Path
) -> None:
    make()
    handed = [5, b"reading", 7, b"writing"]
    with socket.create_server(("127.0.0.1", 0)) as console, visit(directory / "s") as desk:
        phone = socket.create_connection(console.getsockname())
        taken, _ = console.accept()
        with taken:
            lend(desk, taken, WSS, "192.0.2.7", handed)
    first = Stream(directory)
    while not first.given:
        first.given = [given for given, _ in first.link.hear()]
    first.link.close()  # it was killed before it could say that it has it
    second, third = Stream(directory), None
    second.until(lambda: second.link.is_complete)
    second.close()
    third = Stream(directory)
    third.until(lambda: third.link.is_complete)
    third.close()
    assert [each.given[0][-1] for each in (first, second, third)] == [handed, handed, []]
    phone.close()


class Accepting(Stream):
    """An edge-stream that accepts by itself."""

    def accept(self, phone: socket.socket, serial: bytes) -> socket.socket:
        """Take a phone that has said something, and tell of it."""
        ((listener, transport),) = self.link.listeners
        listener.settimeout(LIMIT_S)
        sock, (source, port) = listener.accept()
        assert (transport, port) == (TLS, phone.getsockname()[1])
        self.link.tell_accepted((serial, transport, source, port, 5.0), sock.fileno())
        return sock


def test_a_lone_stream_accepts_those_that_begin_with_a_handshake(
    make: Callable[..., KeeperThread], directory: Path
) -> None:
    keeper = make(transport=TLS)
    first = Accepting(directory)  # it is gone before the keeper can say all
    phones = [keeper.connect() for _ in range(3)]
    for each in phones:
        each.sendall(b"\x16")
    taken = [first.accept(phone, b"1234567%d" % number) for number, phone in enumerate(phones)]
    assert 0.0 < first.link.due_at < inf
    first.link.tell_ended(b"12345670")
    first.link.hurry(b"12345670")
    assert first.link.due_at > 0.0
    first.link.hurry(b"12345671")
    assert first.link.due_at == 0.0
    first.link.flush()
    assert first.link.due_at == inf
    first.close()
    second = Accepting(directory)
    second.until(lambda: second.link.is_complete)
    ports = [each.getsockname()[1] for each in phones[1:]]
    assert second.given == [
        [b"1234567%d" % number, TLS, 5.0, True, True, "127.0.0.1", port, "", []]
        for number, port in enumerate(ports, 1)
    ]
    second.close()
    for sock in (*taken, *phones):
        sock.close()


def test_what_a_stream_has_accepted_has_the_same_limits(
    make: Callable[..., KeeperThread], directory: Path
) -> None:
    keeper = make(transport=TLS, most_of_source=1)
    stream = Accepting(directory)
    stream.until(lambda: stream.link.is_complete)
    phones = [keeper.connect() for _ in range(3)]
    taken = []
    for number, phone in enumerate(phones):
        phone.sendall(b"\x16")
        taken.append(stream.accept(phone, b"1234567%d" % number))
        stream.link.flush()
        if number == 1:
            stream.link.tell_known(b"12345671")
            stream.link.flush()
    assert closed(phones[0])
    assert closed(phones[2])
    assert (keeper.keeper.count, keeper.keeper.shed, keeper.keeper.refused) == (1, 1, 1)
    stream.close()
    for sock in (*taken, *phones):
        sock.close()


def test_several_streams_accept_nothing_so_that_each_gets_its_share(
    make: Callable[..., KeeperThread], directory: Path
) -> None:
    keeper = make(transport=TLS, streams=2)
    streams = [Stream(directory, number) for number in range(2)]
    phones = [keeper.connect() for _ in range(4)]
    for each in streams:
        each.until(lambda each=each: len(each.given) == 2)  # type: ignore[misc]
        assert each.link.listeners == []
        each.close()
    for phone in phones:
        phone.close()


def test_users_are_known_to_the_successor(make: Callable[..., KeeperThread], directory: Path) -> None:
    keeper = make()
    phones = [keeper.connect() for _ in range(150)]
    first = Stream(directory)
    first.until(lambda: len(first.given) == len(phones))
    for number, given in enumerate(first.given):
        first.link.tell_user(given[0], f"user{number}")
    first.link.tell_user(b"of nobody", "ghost")
    first.link.flush()
    first.close()
    second = Stream(directory)
    second.until(lambda: second.link.is_complete)
    assert [each[7] for each in second.given] == [f"user{number}" for number in range(len(phones))]
    second.close()
    for each in phones:
        each.close()


def test_the_oldest_stranger_goes_first(make: Callable[..., KeeperThread], directory: Path) -> None:
    keeper = make(most=3)
    stream = Stream(directory)
    phones = [keeper.connect() for _ in range(3)]
    stream.until(lambda: len(stream.given) == 3)
    stream.link.tell_known(stream.given[0][0])
    stream.link.flush()
    stream.until(lambda: keeper.keeper.strangers == 2)
    fourth = keeper.connect()
    stream.until(lambda: len(stream.given) == 4)
    assert closed(phones[1])
    assert (keeper.keeper.count, keeper.keeper.shed) == (3, 1)
    stream.close()
    for phone in (*phones, fourth):
        phone.close()


@pytest.mark.parametrize("limit", ["most", "most_of_source"])
def test_where_nobody_is_a_stranger_the_newcomer_is_refused(
    make: Callable[..., KeeperThread], directory: Path, limit: str
) -> None:
    keeper = make(**{limit: 1})
    stream = Stream(directory)
    phone = keeper.connect()
    stream.until(lambda: len(stream.given) == 1)
    stream.link.tell_known(stream.given[0][0])
    stream.link.flush()
    stream.until(lambda: keeper.keeper.strangers == 0)
    other = keeper.connect()
    assert closed(other)
    assert (keeper.keeper.count, keeper.keeper.refused) == (1, 1)
    stream.link.tell_ended(stream.given[0][0])
    stream.link.flush()
    stream.until(lambda: keeper.keeper.count == 0)
    third = keeper.connect()
    stream.until(lambda: len(stream.given) == 2)
    stream.close()
    for each in (phone, other, third):
        each.close()


def test_who_speaks_nonsense_at_the_desk_is_sent_away(
    make: Callable[..., KeeperThread], directory: Path
) -> None:
    make()
    for said in (b"\xc1", b"\x92\x00\x05", b"x"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.settimeout(LIMIT_S)
            stranger.connect(str(directory / "s"))
            stranger.send(said)
            assert stranger.recv(1) == b""
