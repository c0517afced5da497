import os
import socket
from collections.abc import Iterator
from pathlib import Path

import net_admin
import pytest

from switchboard.bus.socket_buffer import MESSAGE_BYTES, cut, enlarge_buffers, receive_buffer
from switchboard.transports.udp_sockets import inherited_sockets, pass_sockets

LIMIT = int(Path("/proc/sys/net/core/rmem_max").read_text())


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        yield opened


@pytest.fixture
def unprivileged() -> Iterator[None]:
    with net_admin.laid_down():
        yield


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.mark.usefixtures("unprivileged")
def test_what_the_limit_allows_is_granted(sock: socket.socket) -> None:
    enlarge_buffers(sock, LIMIT)
    assert receive_buffer(sock) == 2 * LIMIT
    assert cut(sock, LIMIT) == ""


@pytest.mark.usefixtures("unprivileged")
def test_the_limit_cuts_it_and_people_are_told(sock: socket.socket) -> None:
    enlarge_buffers(sock, 4 * LIMIT)
    assert receive_buffer(sock) == 2 * LIMIT
    said = cut(sock, 4 * LIMIT)
    assert f"grants {2 * LIMIT} bytes for arriving datagrams instead of {8 * LIMIT}" in said
    assert f"some {2 * LIMIT // MESSAGE_BYTES} messages may wait" in said
    assert f"sysctl -w net.core.rmem_max={4 * LIMIT}" in said


@pytest.mark.usefixtures("root")
def test_root_goes_beyond_the_limit(sock: socket.socket) -> None:
    enlarge_buffers(sock, 4 * LIMIT)
    assert receive_buffer(sock) == 8 * LIMIT
    assert cut(sock, 4 * LIMIT) == ""


@pytest.mark.usefixtures("root")
def test_what_the_init_system_made_larger_stays(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    enlarge_buffers(sock, 4 * LIMIT)
    with net_admin.laid_down():
        enlarge_buffers(sock, LIMIT)
        monkeypatch.setenv("SWITCHBOARD_SOCKETS", pass_sockets([sock]))
        (inherited,) = inherited_sockets()
    assert receive_buffer(inherited) == 8 * LIMIT
    inherited.detach()
