import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiled import needs_compiled_core
from flows import packed, udp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard import codec
from switchboard.transports.transport import Received
from switchboard.transports.udp_datagrams import Sender, receive, scoped
from switchboard.transports.udp_sockets import bind_sockets

LIMIT_S = 20.0


@pytest.fixture
def edge() -> Iterator[list[socket.socket]]:
    sockets = bind_sockets("", 0)
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture
def phones() -> Iterator[dict[str, socket.socket]]:
    """A phone for each loopback address, by host."""
    phones = {
        "127.0.0.1": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "::1": socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    }
    for host, phone in phones.items():
        phone.bind((host, 0))
        phone.settimeout(LIMIT_S)
    yield phones
    for phone in phones.values():
        phone.close()


def received(sock: socket.socket) -> Received:
    """What arrives next; the shared socket is waited for without a change of its flags."""
    assert select.select([sock], [], [], LIMIT_S)[0], "no datagram arrived"
    datagram = receive(sock)
    assert datagram is not None
    return datagram


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def link_local() -> str | None:
    """An IPv6 address with its scope, as /proc tells it; None on a machine without one."""
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        digits, _, _, _, _, interface = line.split()
        if digits.startswith("fe80"):
            return f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))}%{interface}"
    return None


def test_nothing_waits(edge: list[socket.socket]) -> None:
    assert [receive(sock) for sock in edge] == [None] * len(edge)


@pytest.mark.parametrize("local", ["127.0.0.1", "127.0.0.2"])
def test_a_reply_leaves_from_where_the_request_came_to(
    edge: list[socket.socket], phones: dict[str, socket.socket], local: str
) -> None:
    phone = phones["127.0.0.1"]
    phone.sendto(b"ping", (local, port_of(edge[0])))
    assert received(edge[0]) == (b"ping", udp("127.0.0.1", port_of(phone), local))
    assert Sender(edge).send(b"pong", udp("127.0.0.1", port_of(phone), local))
    assert phone.recvfrom(100) == (b"pong", (local, port_of(edge[0])))


def test_ipv6_takes_the_other_socket(edge: list[socket.socket], phones: dict[str, socket.socket]) -> None:
    phone = phones["::1"]
    phone.sendto(b"ping", ("::1", port_of(edge[1])))
    assert received(edge[1]) == (b"ping", udp("::1", port_of(phone), "::1"))
    assert Sender(edge).send(b"pong", udp("::1", port_of(phone), "::1"))
    assert phone.recvfrom(100) == (b"pong", ("::1", port_of(edge[1]), 0, 0))


@pytest.mark.skipif(link_local() is None, reason="no link-local address")
def test_a_link_local_host_bears_its_scope_both_ways(edge: list[socket.socket]) -> None:
    host = link_local()
    assert host is not None
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as phone:
        phone.settimeout(LIMIT_S)
        phone.sendto(b"ping", (host, port_of(edge[1])))
        assert received(edge[1]) == (b"ping", udp(host, port_of(phone), host))
        assert Sender(edge).send(b"pong", udp(host, port_of(phone), host))
        assert phone.recv(100) == b"pong"


@pytest.mark.parametrize("local", ["", "::1", "no address"])
def test_without_a_source_of_the_family_the_kernel_chooses(
    edge: list[socket.socket], phones: dict[str, socket.socket], local: str
) -> None:
    phone = phones["127.0.0.1"]
    assert Sender(edge).send(b"x", udp("127.0.0.1", port_of(phone), local))
    assert phone.recvfrom(100) == (b"x", ("127.0.0.1", port_of(edge[0])))


def test_a_socket_of_one_address_sends_from_it(phones: dict[str, socket.socket]) -> None:
    phone = phones["127.0.0.1"]
    (sock,) = bind_sockets("127.0.0.2", 0)
    with sock:
        assert Sender([sock]).send(b"x", udp("127.0.0.1", port_of(phone), "127.0.0.3"))
        assert phone.recvfrom(100)[1][0] == "127.0.0.2"
        phone.sendto(b"y", sock.getsockname())
        assert received(sock)[1].local == "127.0.0.2"


def test_the_largest_datagram_arrives_whole(
    edge: list[socket.socket], phones: dict[str, socket.socket]
) -> None:
    data = bytes(65507)
    assert phones["127.0.0.1"].sendto(data, ("127.0.0.1", port_of(edge[0]))) == len(data)
    assert received(edge[0])[0] == data


@pytest.mark.parametrize(
    ("host", "port", "local", "data"),
    [
        ("127.0.0.1", 0, "", b"x"),
        ("127.0.0.1", 65536, "", b"x"),
        ("127.0.0.1", -1, "", b"x"),
        ("127.0.0.1", 5060, "", bytes(65508)),
        ("127.0.0.1", 5060, "192.0.2.1", b"x"),
        ("::1", 5060, "2001:db8::1", b"x"),
        ("", 5060, "", b"x"),
        ("localhost", 5060, "", b"x"),
        ("[::1]", 5060, "", b"x"),
        ("127.0.0.1%lo", 5060, "", b"x"),
        ("fe80::1%no-such-interface", 5060, "", b"x"),
        ("fe80::1%\0", 5060, "", b"x"),
        ("127.0.0.1\0", 5060, "", b"x"),
        ("255.255.255.255", 5060, "", b"x"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_told(
    edge: list[socket.socket], host: str, port: int, local: str, data: bytes
) -> None:
    assert not Sender(edge).send(data, udp(host, port, local))


def test_a_family_without_a_socket_is_told(edge: list[socket.socket]) -> None:
    assert not Sender(edge[:1]).send(b"x", udp("::1", 5060))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    host=st.text(st.characters(exclude_characters="0123456789", exclude_categories=()), max_size=20)
    | st.text(st.characters(exclude_categories=()), max_size=5).map("fe80::1%{}".format),
    port=st.integers(),
    local=st.text(max_size=20),
)
def test_sending_never_raises(edge: list[socket.socket], host: str, port: int, local: str) -> None:
    assert Sender(edge).send(b"x", udp(host, port, local)) in (True, False)


def test_an_interface_that_has_gone_is_named_by_its_number() -> None:
    assert scoped("fe80::1", 2**31 - 1) == f"fe80::1%{2**31 - 1}"


def frame_of(items: list[object]) -> bytes:
    return codec.pack(items)


@needs_compiled_core
def test_a_frame_is_sent_from_within(edge: list[socket.socket], phones: dict[str, socket.socket]) -> None:
    """In order, each from its own source, whatever families are mixed; more than fit into one system call."""
    items: list[object] = []
    for number in range(100):
        items += [
            [packed("127.0.0.1", port_of(phones["127.0.0.1"]), "127.0.0.2"), b"%d" % number],
            [packed("::1", port_of(phones["::1"])), b"%d" % number],
        ]
    head = b"anything"
    assert Sender(edge).send_items(head + frame_of(items), len(head)) == (200, 0)
    for number in range(100):
        assert phones["127.0.0.1"].recvfrom(100) == (b"%d" % number, ("127.0.0.2", port_of(edge[0])))
        assert phones["::1"].recvfrom(100)[0] == b"%d" % number


@needs_compiled_core
def test_what_the_kernel_refuses_does_not_hold_up_the_rest(
    edge: list[socket.socket], phones: dict[str, socket.socket]
) -> None:
    phone = phones["127.0.0.1"]
    port = port_of(phone)
    items: list[object] = [
        [packed("127.0.0.1", port, "192.0.2.1"), b"not our address"],
        [packed("127.0.0.1", port), b"first"],
        [packed("127.0.0.1", port), bytes(65508)],
        [packed("255.255.255.255", port), b"broadcast"],
        [packed("127.0.0.1", port, "127.0.0.3"), b"second"],
        [packed("127.0.0.1", port, "192.0.2.1"), b"not our address"],
    ]
    assert Sender(edge).send_items(frame_of(items), 0) == (2, 4)
    assert [phone.recv(100) for _ in range(2)] == [b"first", b"second"]


@needs_compiled_core
def test_an_empty_frame_is_sent(edge: list[socket.socket]) -> None:
    assert Sender(edge).send_items(frame_of([]), 0) == (0, 0)


FLOW = packed("127.0.0.1", 5060)
ODD_ITEMS: list[object] = [
    None,
    [],
    [FLOW],
    [FLOW, b"x", b"y"],
    ["127.0.0.1:5060", b"x"],
    [FLOW, "x"],
    [b"", b"x"],
    [FLOW[:1], b"x"],
    [FLOW[:2], b"x"],
    [FLOW[:-1], b"x"],
    [b"\2" + FLOW[1:], b"x"],
    [b"\1\xff" + FLOW[2:], b"x"],
    [b"\1\0\3abc\x13\xc4", b"x"],
    [packed("127.0.0.1", 0), b"x"],
    [packed("127.0.0.1", 5060, "::1"), b"x"],
    [packed("127.0.0.1", 5060, "localhost"), b"x"],
    [packed("127.0.0.1%lo", 5060), b"x"],
    [packed("fe80::1%lo", 5060), b"x"],
    [packed("phone.test", 5060), b"x"],
    [packed("", 5060), b"x"],
]


@pytest.mark.parametrize("item", ODD_ITEMS, ids=str)
def test_a_frame_with_an_odd_item_is_left_to_the_reference(edge: list[socket.socket], item: object) -> None:
    """And nothing of it has left."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        frame = frame_of([[packed("127.0.0.1", port_of(phone)), b"plain"], item])
        assert Sender(edge).send_items(frame, 0) is None
        with pytest.raises(BlockingIOError):
            phone.recv(100, socket.MSG_DONTWAIT)


@pytest.fixture
def confined() -> Iterator[list[socket.socket]]:
    """A socket that reaches nothing but this machine, whatever addresses chance makes."""
    sockets = bind_sockets("127.0.0.1", 0)
    yield sockets
    sockets[0].close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(cut=st.integers(0, 80), octets=st.binary(max_size=4))
def test_no_frame_is_too_odd(confined: list[socket.socket], cut: int, octets: bytes) -> None:
    """Spoilt anywhere, sent in part or with a start beyond its end."""
    frame = frame_of([[packed("127.0.0.1", 9, "127.0.0.1"), b"x" * 20]] * 2)
    spoilt = frame[:cut] + octets + frame[cut + 1 :]
    for data, start in ((spoilt, 0), (frame[:cut], 0), (frame, cut), (frame, -cut), (frame, 2**40)):
        Sender(confined).send_items(data, start)


def test_without_a_socket_of_the_family_nothing_is_plain(edge: list[socket.socket]) -> None:
    assert Sender(edge[:1]).send_items(frame_of([[packed("::1", 5060), b"x"]]), 0) is None
    assert Sender(edge[1:]).send_items(frame_of([[FLOW, b"x"]]), 0) is None


@pytest.mark.parametrize("in_runs", [False, pytest.param(True, marks=needs_compiled_core)])
def test_from_the_advertised_address_the_kernel_chooses(
    edge: list[socket.socket], phones: dict[str, socket.socket], in_runs: bool
) -> None:
    """The machine does not have it, so the kernel would refuse to send from it."""
    flow = udp("127.0.0.1", port_of(phones["127.0.0.1"]), "203.0.113.5")
    for advertised, leaves in (("", False), ("203.0.113.5", True)):
        sender = Sender(edge, advertised)
        if in_runs:
            assert sender.send_items(codec.pack([[flow.pack(), b"hello"]]), 0) == (leaves, not leaves)
        else:
            assert sender.send(b"hello", flow) is leaves
    assert phones["127.0.0.1"].recvfrom(10) == (b"hello", ("127.0.0.1", port_of(edge[0])))
