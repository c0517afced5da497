"""Real errors: a datagram to a closed port of this machine comes back as ICMP before the next call."""

import select
import socket
from collections.abc import Callable, Iterator

import pytest
from flows import packed, udp

from switchboard import codec
from switchboard.bus.sockets import Ears, EarsInPython
from switchboard.sip.flow import Flow
from switchboard.transports.transport import Undelivered
from switchboard.transports.udp_datagrams import QUOTED_BYTES, Sender, _is_lost, receive, receive_error
from switchboard.transports.udp_sockets import (
    HAS_ERROR_QUEUE,
    IP_PKTINFO,
    IP_RECVERR,
    IPV6_RECVERR,
    bind_sockets,
    tell_errors,
)

LIMIT_S = 20.0
HOSTS = ["127.0.0.1", "::1"]
EARS = list(dict.fromkeys([Ears, EarsInPython]))
ROUNDS = 300
Send = Callable[[bytes, str, int], bool]

pytestmark = pytest.mark.skipif(not HAS_ERROR_QUEUE, reason="Linux tells errors")


@pytest.fixture
def edge() -> Iterator[list[socket.socket]]:
    sockets = bind_sockets("", 0)
    for sock in sockets:
        tell_errors(sock, True)
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture(params=["whole", "one by one"])
def send(request: pytest.FixtureRequest, edge: list[socket.socket]) -> Send:
    """One datagram, by the compiled sender where there is one, or by the reference."""
    sender = Sender(edge)

    def within_frame(data: bytes, host: str, port: int) -> bool:
        counts = sender.send_items(codec.pack([[packed(host, port), data]]), 0)
        return one_by_one(data, host, port) if counts is None else counts == (1, 0)

    def one_by_one(data: bytes, host: str, port: int) -> bool:
        return sender.send(data, udp(host, port))

    return within_frame if request.param == "whole" else one_by_one


def dead_port(host: str) -> int:
    """A port at which nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def sock_of(edge: list[socket.socket], host: str) -> socket.socket:
    return edge[":" in host]


def error_at(sock: socket.socket) -> Undelivered:
    poller = select.poll()
    poller.register(sock, 0)
    assert poller.poll(LIMIT_S * 1000), "no error came"
    error = receive_error(sock)
    assert error is not None
    return error


def living(host: str) -> socket.socket:
    phone = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    phone.bind((host, 0))
    phone.settimeout(LIMIT_S)
    return phone


@pytest.mark.parametrize("host", HOSTS)
def test_an_error_tells_whom_and_what(edge: list[socket.socket], send: Send, host: str) -> None:
    port = dead_port(host)
    assert send(b"INVITE", host, port)
    sock = sock_of(edge, host)
    assert error_at(sock) == Undelivered(udp(host, port), b"INVITE", is_lost=True)
    assert receive_error(sock) is None


@pytest.mark.parametrize("host", HOSTS)
def test_of_a_long_datagram_the_beginning_is_quoted(edge: list[socket.socket], host: str) -> None:
    data = bytes(range(256)) * 40
    assert Sender(edge).send(data, udp(host, dead_port(host)))
    sent = error_at(sock_of(edge, host)).sent
    assert 500 < len(sent) <= QUOTED_BYTES
    assert data.startswith(sent)


def test_an_address_in_ipv4_mapped_spelling_is_told_as_it_was_sent_to() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:  # as systemd may bind it
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 0))
        tell_errors(sock, True)
        port = dead_port("127.0.0.1")
        assert Sender([sock]).send(b"x", udp("::ffff:127.0.0.1", port))
        assert error_at(sock) == Undelivered(udp("::ffff:127.0.0.1", port), b"x", is_lost=True)


@pytest.mark.parametrize("host", HOSTS)
def test_an_error_costs_no_other_datagram(edge: list[socket.socket], send: Send, host: str) -> None:
    """Of those that leave, and of those that come, each after an error that is not its own."""
    port, sock = dead_port(host), sock_of(edge, host)
    with living(host) as phone:
        address = phone.getsockname()[:2]
        for number in range(ROUNDS):
            assert send(b"lost", host, port)
            assert send(b"%d" % number, *address)
            assert phone.recv(100) == b"%d" % number
            assert send(b"lost", host, port)
            phone.sendto(b"%d" % number, (host, sock.getsockname()[1]))
            assert select.select([sock], [], [], LIMIT_S)[0]
            datagram = receive(sock)
            assert datagram
            assert datagram[0] == b"%d" % number
            while receive_error(sock):
                pass


@pytest.mark.parametrize("host", HOSTS)
def test_dead_and_living_peers_of_one_frame(edge: list[socket.socket], host: str) -> None:
    """What is for the living arrives, all of it and in order; each loss is told."""
    dead, sender = dead_port(host), Sender(edge)
    with living(host) as phone:
        port = phone.getsockname()[1]
        items: list[tuple[Flow, bytes]] = []
        for number in range(100):
            items += [(udp(host, dead), b"lost"), (udp(host, port), b"%d" % number)]
        counts = sender.send_items(codec.pack([[flow.pack(), data] for flow, data in items]), 0)
        if counts is None:
            counts = sum(sender.send(data, flow) for flow, data in items), 0
        assert counts == (200, 0)
        assert [phone.recv(100) for _ in range(100)] == [b"%d" % number for number in range(100)]
    assert sender.retried > 0
    sock = sock_of(edge, host)
    errors = [error_at(sock)]
    while error := receive_error(sock):
        errors.append(error)
    assert errors == [Undelivered(udp(host, dead), b"lost", is_lost=True)] * 100


def test_what_fails_by_itself_is_given_up(edge: list[socket.socket]) -> None:
    sender = Sender(edge)
    assert not sender.send(b"x", udp("255.255.255.255", 5060))
    assert sender.send_items(codec.pack([[packed("255.255.255.255", 5060), b"x"]]), 0) in (None, (0, 1))


@pytest.mark.parametrize("kind", EARS, ids=lambda kind: kind.__name__)
def test_an_error_is_heard_until_it_is_taken(edge: list[socket.socket], kind: type[Ears]) -> None:
    """Then there is silence, whoever has met it before: nothing wakes a worker that has nothing to do."""
    ears = kind([])
    sock, sender = edge[0], Sender(edge)
    fd = sock.fileno()
    ears.watch(fd)
    assert not ears.has_error(fd)
    for _ in range(3):
        assert sender.send(b"x", udp("127.0.0.1", dead_port("127.0.0.1")))
    assert ears.wait(LIMIT_S)
    assert ears.has_error(fd)
    assert receive(sock) is None
    assert ears.wait(LIMIT_S)
    assert ears.has_error(fd)
    while receive_error(sock):
        pass
    assert receive(sock) is None
    assert not ears.wait(0.05)
    assert not ears.has_error(fd)


@pytest.mark.parametrize("kind", EARS, ids=lambda kind: kind.__name__)
def test_a_datagram_is_no_error(edge: list[socket.socket], kind: type[Ears]) -> None:
    ears = kind([])
    fd = edge[0].fileno()
    ears.watch(fd)
    with living("127.0.0.1") as phone:
        phone.sendto(b"x", ("127.0.0.1", edge[0].getsockname()[1]))
    assert ears.wait(LIMIT_S)
    assert ears.is_readable(fd)
    assert not ears.has_error(fd)


@pytest.mark.parametrize("host", HOSTS)
def test_who_forgoes_errors_leaves_none(edge: list[socket.socket], host: str) -> None:
    sock = sock_of(edge, host)
    for again in range(2):
        assert Sender(edge).send(b"x", udp(host, dead_port(host)))
        if not again:
            error_at(sock)
            assert Sender(edge).send(b"x", udp(host, dead_port(host)))
        tell_errors(sock, False)
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        assert not poller.poll(20)
        assert receive_error(sock) is None


@pytest.mark.parametrize(
    ("origin", "icmp_type", "code", "is_lost"),
    [
        (2, 3, 0, True),  # net unreachable
        (2, 3, 1, True),  # host
        (2, 3, 2, True),  # protocol
        (2, 3, 3, True),  # port
        (2, 3, 4, False),  # larger than a link takes
        (2, 3, 13, True),  # a firewall's reject
        (2, 12, 0, True),  # bad header
        (2, 11, 0, False),  # time exceeded: §18.4 ignores it
        (2, 4, 0, False),  # source quench: the same
        (2, 5, 0, False),  # redirect
        (3, 1, 0, True),
        (3, 1, 4, True),
        (3, 2, 0, False),
        (3, 3, 0, False),
        (3, 4, 0, True),
        (1, 0, 0, False),  # of this machine itself: too large
    ],
)
def test_only_what_says_that_it_is_lost(origin: int, icmp_type: int, code: int, is_lost: bool) -> None:
    error = bytes([113, 0, 0, 0, origin, icmp_type, code]) + bytes(25)
    pktinfo = (socket.IPPROTO_IP, IP_PKTINFO, bytes(12))
    level = (socket.IPPROTO_IPV6, IPV6_RECVERR) if origin == 3 else (socket.IPPROTO_IP, IP_RECVERR)
    assert _is_lost([pktinfo, (*level, error)]) is is_lost
    assert not _is_lost([pktinfo])
