"""None"""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import net_admin
import psutil
import pytest
from flows import udp

from switchboard.transports import udp_sockets
from switchboard.transports.udp_datagrams import receive
from switchboard.transports.udp_sockets import (
    MESSAGE_BYTES,
    BindError,
    PortTaken,
    bind_sockets,
    cut,
    enlarge_buffers,
    inherited_sockets,
    pass_sockets,
    receive_buffer,
)

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


Bind = Callable[[str, int], list[socket.socket]]


@pytest.fixture
def bind() -> Iterator[Bind]:
    """`bind_sockets`, its sockets closed at the end."""
    opened: list[socket.socket] = []

    def bind_and_keep(host: str, port: int) -> list[socket.socket]:
        sockets = bind_sockets(host, port)
        opened.extend(sockets)
        return sockets

    yield bind_and_keep
    for sock in opened:
        sock.close()


@pytest.fixture
def without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose kernel was built without IPv6."""

    class Ipv4Only(socket.socket):
        def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None):
            if family == socket.AF_INET6:
                raise OSError("Address family not supported by protocol")
            super().__init__(family, type, proto, fileno)

    monkeypatch.setattr(socket, "socket", Ipv4Only)


def test_all_addresses_are_one_port_of_each_family(bind: Bind) -> None:
    sockets = bind("", 0)
    assert [sock.family for sock in sockets] in (
        [socket.AF_INET],
        [socket.AF_INET, socket.AF_INET6],
    )
    assert len({sock.getsockname()[1] for sock in sockets}) == 1
    assert all(sock.getblocking() for sock in sockets)


@pytest.mark.usefixtures("without_ipv6")
def test_a_machine_without_ipv6_has_one_socket(bind: Bind) -> None:
    assert [sock.family for sock in bind("", 0)] == [socket.AF_INET]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.3", "::1"])
def test_one_address_is_one_socket(bind: Bind, host: str) -> None:
    (sock,) = bind(host, 0)
    assert sock.getsockname()[0] == host


def test_a_taken_port_is_told_with_its_holder(bind: Bind) -> None:
    port = bind("127.0.0.1", 0)[0].getsockname()[1]
    with pytest.raises(PortTaken) as caught:
        bind("", port)
    assert (caught.value.port, caught.value.pid) == (port, os.getpid())
    assert caught.value.command == " ".join(psutil.Process().cmdline())
    assert str(caught.value).startswith(f"UDP port {port} is taken by process {os.getpid()} (")


def test_a_port_taken_in_ipv6_only_is_told_and_frees_ipv4(bind: Bind) -> None:
    port = bind("::1", 0)[0].getsockname()[1]
    with pytest.raises(PortTaken):
        bind("", port)
    bind("127.0.0.1", port)


def test_a_socket_that_is_shared_is_its_parents(bind: Bind) -> None:
    """A process that inherited it is named by no complaint: to stop that would free nothing."""
    sock = bind("127.0.0.1", 0)[0]
    port = sock.getsockname()[1]
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[sock.fileno()])
    try:
        with pytest.raises(PortTaken) as caught:
            bind("127.0.0.1", port)
    finally:
        child.communicate()
    assert caught.value.pid == os.getpid()


@pytest.mark.parametrize("connections", [[], psutil.AccessDenied(1)], ids=["unseen", "forbidden"])
def test_a_holder_that_we_may_not_see_is_another_process(
    bind: Bind, monkeypatch: pytest.MonkeyPatch, connections: object
) -> None:
    def net_connections(_process: psutil.Process, kind: str) -> object:
        assert kind == "udp"
        if isinstance(connections, Exception):
            raise connections
        return connections

    monkeypatch.setattr(psutil.Process, "net_connections", net_connections)
    port = bind("127.0.0.1", 0)[0].getsockname()[1]
    with pytest.raises(PortTaken, match=f"UDP port {port} is taken by another process"):
        bind("127.0.0.1", port)


def test_port_0_is_tried_until_both_families_are_free(bind: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []
    real = udp_sockets._bind_wildcards

    def taken_twice(port: int) -> list[socket.socket]:
        tries.append(port)
        if len(tries) < 3:
            raise PortTaken(5060)
        return real(port)

    monkeypatch.setattr(udp_sockets, "_bind_wildcards", taken_twice)
    assert bind("", 0)
    assert tries == [0, 0, 0]


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "fe80::1%no-such-interface", "no-address"])
def test_an_address_that_is_not_ours_is_an_error_for_people(bind: Bind, host: str) -> None:
    with pytest.raises(BindError, match=f"cannot bind UDP port 5060 of {host}: "):
        bind(host, 5060)


def test_sockets_are_inherited_by_number(bind: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = bind("127.0.0.1", 0)
    copies = [sock.dup() for sock in sockets]
    monkeypatch.setenv("SWITCHBOARD_SOCKETS", pass_sockets(copies))
    inherited = inherited_sockets()
    assert [sock.getsockname() for sock in inherited] == [sock.getsockname() for sock in sockets]
    assert [sock.fileno() for sock in inherited] == [sock.detach() for sock in copies]
    for sock in inherited:
        sock.close()


def test_a_socket_that_the_init_system_bound_tells_local_addresses_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.sendto(b"early", bound.getsockname())
        monkeypatch.setenv("SWITCHBOARD_SOCKETS", pass_sockets([bound]))
        (sock,) = inherited_sockets()
        bound.sendto(b"late", bound.getsockname())
        received = [receive(sock), receive(sock)]
        sock.detach()
        port = bound.getsockname()[1]
        assert received == [
            (b"early", udp("127.0.0.1", port)),
            (b"late", udp("127.0.0.1", port, "127.0.0.1")),
        ]


def test_nothing_is_inherited_where_nothing_was_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWITCHBOARD_SOCKETS", raising=False)
    assert inherited_sockets() == []
