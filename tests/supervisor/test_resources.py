"""Socket activation: sockets that arrive from descriptor 3 on."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from switchboard.supervisor.resources import (
    VARIABLE,
    Held,
    NoConsoleSocket,
    activated_sockets,
    hold,
    inherited_socket,
    listen,
    make_data_dir,
)

CHILD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
from switchboard.supervisor.resources import activated_sockets
sockets = activated_sockets()
print([each.getsockname()[1] for each in sockets], [each.get_inheritable() for each in sockets])
print(activated_sockets())
"""


def test_socket_is_taken_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        fd = bound.fileno()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(fd)], pass_fds=[fd], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == [f"[{bound.getsockname()[1]}] [False]", "[]"]


def test_meant_for_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert activated_sockets() == []


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_dir_is_private_unless_it_was_there(tmp_path: Path) -> None:
    make_data_dir(tmp_path / "a" / "data")
    assert mode(tmp_path / "a" / "data") == 0o700
    tmp_path.chmod(0o755)
    make_data_dir(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match="File exists"):
        make_data_dir(tmp_path / "data")


def test_component_is_held_once(tmp_path: Path) -> None:
    lock = hold(tmp_path, "edge")
    other = hold(tmp_path, "router")
    with pytest.raises(Held) as caught:
        hold(tmp_path, "edge")
    assert caught.value.pid == os.getpid()
    os.close(lock)
    os.close(hold(tmp_path, "edge"))
    os.close(other)


def test_a_taken_port_is_told_and_the_next_one_taken() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listen("127.0.0.1", port, said.append) as ours:
            got = ours.getsockname()[1]
    assert got > port
    assert said == [f"port {port} is taken, the console takes {got} (SWITCHBOARD_CONSOLE says which)"]


def test_a_free_port_is_taken_in_silence() -> None:
    said: list[str] = []
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
        port = free.getsockname()[1]
    with listen("::1", port, said.append) as ours:
        assert ours.getsockname()[:2] == ("::1", port)
    assert said == []


def test_an_address_of_another_machine() -> None:
    with pytest.raises(NoConsoleSocket, match=r"192\.0\.2\.1 port 8080 cannot be listened at: .* or off"):
        listen("192.0.2.1", 8080, print)


def test_the_worker_inherits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 20000, lambda _: None) as held:
        monkeypatch.setenv(VARIABLE, str(os.dup(held.fileno())))
        with inherited_socket() as ours:
            assert ours.getsockname() == held.getsockname()


def test_a_worker_without_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(NoConsoleSocket, match="switchboard start"):
        inherited_socket()
