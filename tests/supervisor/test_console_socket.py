"""The console's listening socket."""

import os
import socket

import pytest

from switchboard.supervisor.console_socket import VARIABLE, NoConsoleSocket, inherited_socket, listen


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
