"""What systemd is asked to keep, and what the next parent makes of it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.supervisor.descriptor_store import DescriptorStore, open_store
from switchboard.transports.kept import Kept

SERIAL = bytes.fromhex("00ff3a2e0a7f8001")
CONNECTIONS = [
    (0, SERIAL, Kept(0, 2, "10.0.0.2", 5060, 1.0)),
    (15, SERIAL, Kept(0, 5, "fe80::1%eth0", 65535, 2.0)),
]
CHILD = """
import os, sys
for at, fd in enumerate(sys.argv[1:]):
    os.dup2(int(fd), 3 + at)
names = "switchboard-table.0:switchboard@edge.socket"
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES=names)
from switchboard.supervisor.resources import activated_sockets, stored_descriptors
print(stored_descriptors(), [each.fileno() for each in activated_sockets()], stored_descriptors())
"""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(20.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def heard(systemd: socket.socket) -> tuple[dict[str, str], list[int]]:
    message, fds, _, _ = socket.recv_fds(systemd, 4096, 1)
    return dict(line.split("=", 1) for line in message.decode().splitlines()), list(fds)


def test_what_is_kept_is_given_to_the_next_one(systemd: socket.socket) -> None:
    store = open_store({})
    assert store
    table = os.memfd_create("table")
    store.keep_table(3, table)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for stream, serial, kept in CONNECTIONS:
            store.keep(stream, serial, kept._replace(fd=ours.fileno()))
    given: dict[str, int] = {}
    for _ in range(3):
        said, (fd,) = heard(systemd)
        assert said.pop("FDSTORE") == "1"
        name = said.pop("FDNAME")
        assert not said
        assert len(name) <= 255
        assert name.isascii()
        assert name.isprintable()
        assert ":" not in name
        given[name] = fd
    later = DescriptorStore(given)
    assert list(later.take_tables()) == [3]
    found = later.take_connections()
    assert [(stream, serial, kept._replace(fd=0)) for stream, serial, kept in found] == CONNECTIONS
    store.forget(*CONNECTIONS[1])
    said, fds = heard(systemd)
    assert (said["FDSTOREREMOVE"], fds) == ("1", [])
    assert given[said["FDNAME"]] == found[1][2].fd
    for fd in (table, *given.values()):
        os.close(fd)


@pytest.mark.parametrize("name", ["", "0", "0.zz.2.1.5.h", "0.00.2.x.5.h", "a.00.2.1.5.h"])
def test_a_name_that_is_none(name: str) -> None:
    fd = os.memfd_create("x")
    assert DescriptorStore({f"switchboard-connection.{name}": fd}).take_connections() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_without_systemd_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert open_store({}) is None


def test_systemd_that_does_not_hear_stops_nobody(systemd: socket.socket, tmp_path: Path) -> None:
    store = open_store({})
    assert store
    (tmp_path / "notify").unlink()
    store.forget(*CONNECTIONS[0])
    assert store.failed == 1
    assert systemd.fileno()


def test_sockets_of_the_unit_and_what_is_stored_come_together() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        table = os.memfd_create("table")
        fds = [table, bound.fileno()]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *map(str, fds)],
            pass_fds=fds,
            capture_output=True,
            text=True,
            check=True,
        )
        os.close(table)
    assert done.stdout == "{'switchboard-table.0': 3} [4] {}\n"
