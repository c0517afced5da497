"""The sockets that the parent of the edge holds."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import net_admin
import pytest
from system.harness import free_port

from switchboard.bus.socket_buffer import receive_buffer
from switchboard.cli.edge import open_sockets
from switchboard.settings.model import read_settings
from switchboard.supervisor import activation

LIMIT = int(Path("/proc/sys/net/core/rmem_max").read_text())
HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses and a free port."""
    for name in [name for name in os.environ if name.startswith("SWITCHBOARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHBOARD_SIP_PORT", str(free_port(HOST)))


@pytest.fixture(params=["bound here", "passed by systemd"])
def passed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sockets are ours, or one is the init system's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind((HOST, 0))
        if request.param != "bound here":
            monkeypatch.setattr(activation, "FIRST_FD", held.fileno())
            monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
            monkeypatch.setenv("LISTEN_FDS", "1")
        yield
        if request.param != "bound here":
            held.detach()


@pytest.mark.usefixtures("passed")
@pytest.mark.parametrize(("wanted", "complaints"), [(LIMIT, 0), (2 * LIMIT, 1)])
def test_a_buffer_that_the_system_cuts_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: int, complaints: int
) -> None:
    monkeypatch.setenv("SWITCHBOARD_RECEIVE_BUFFER_BYTES", str(wanted))
    with net_admin.laid_down():
        sockets = open_sockets(*read_settings())
    assert {receive_buffer(sock) for sock in sockets} == {2 * LIMIT}
    assert capsys.readouterr().err.count("sysctl -w net.core.rmem_max=") == complaints
    for sock in sockets:
        sock.close()
