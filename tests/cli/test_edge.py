"""The sockets that the parent of the edge holds."""

import os
from pathlib import Path

import net_admin
import pytest
from system.harness import free_port

from switchboard.bus.socket_buffer import receive_buffer
from switchboard.cli.edge import open_sockets
from switchboard.settings import read_settings

LIMIT = int(Path("/proc/sys/net/core/rmem_max").read_text())


@pytest.mark.parametrize(("wanted", "complaints"), [(LIMIT, 0), (2 * LIMIT, 1)])
def test_a_buffer_that_the_system_cuts_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: int, complaints: int
) -> None:
    for name in [name for name in os.environ if name.startswith("SWITCHBOARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHBOARD_SIP_PORT", str(free_port("127.0.0.1")))
    monkeypatch.setenv("SWITCHBOARD_RECEIVE_BUFFER_BYTES", str(wanted))
    with net_admin.laid_down():
        sockets = open_sockets(*read_settings())
    assert {receive_buffer(sock) for sock in sockets} == {2 * LIMIT}
    assert capsys.readouterr().err.count("sysctl -w net.core.rmem_max=") == complaints
    for sock in sockets:
        sock.close()
