"""The write side of the edge over real UDP."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bus.contexts import OwningContext
from compiled import needs_compiled_core
from flows import packed

from switchboard.bus import frames
from switchboard.settings.model import Settings
from switchboard.transports.udp_sockets import bind_sockets
from switchboard.workers.edge_tx import EdgeTx

LIMIT_S = 20.0
FLOW = packed("127.0.0.1", 5060)


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    sockets = bind_sockets("", 0)
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture
def service(sockets: list[socket.socket]) -> Iterator[EdgeTx]:
    context = OwningContext()
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        settings = Settings(data_dir=Path(directory))
        settings.run_dir.mkdir()
        yield EdgeTx(settings, context, 0, sockets)
    context.destroy(linger=0)


@pytest.fixture(params=["127.0.0.1", "::1"])
def phone(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.socket(
        socket.AF_INET6 if ":" in request.param else socket.AF_INET, socket.SOCK_DGRAM
    ) as phone:
        phone.bind((request.param, 0))
        phone.settimeout(LIMIT_S)
        yield phone


def test_items_leave_in_order_through_the_socket_of_their_family(
    service: EdgeTx, sockets: list[socket.socket], phone: socket.socket
) -> None:
    host, port = phone.getsockname()[:2]
    service.receive("sip.send", [[packed(host, port, host), b"first"], [packed(host, port), b"second"]], 0.0)
    for expected in (b"first", b"second"):
        data, address = phone.recvfrom(100)
        assert (data, address[:2]) == (expected, (host, sockets[0].getsockname()[1]))
    assert service.stats() == {"sent": 2, "failed": 0, "retried": 0, "bad_items": 0}


def test_a_frame_is_sent_as_its_items_are(service: EdgeTx, phone: socket.socket) -> None:
    """Whether it goes out as it came in, or has to be unpacked."""
    host, port = phone.getsockname()[:2]
    items: list[Any] = [
        [packed(host, port, host), b"one"],
        [packed(host, 0), b"none"],
        [packed(host, port), b"two"],
    ]
    for frame in (frames.pack("sip.send", items), frames.pack("sip.send", items[::2])):
        if service.receive_frame(frame) is None:
            service.receive(*frames.unpack(frame), 0.0)
    assert [phone.recv(100) for _ in range(4)] == [b"one", b"two"] * 2
    assert service.stats() == {"sent": 4, "failed": 1, "retried": 0, "bad_items": 0}


@needs_compiled_core
def test_what_left_within_its_frame_is_counted(service: EdgeTx, phone: socket.socket) -> None:
    host, port = phone.getsockname()[:2]
    items = [[packed(host, port), b"x"], [packed(host, port), bytes(65530)]]
    assert service.receive_frame(frames.pack("sip.send", items)) == 2
    assert service.stats() == {"sent": 1, "failed": 1, "retried": 0, "bad_items": 0}
    assert service.receive_frame(frames.pack("sip.received", items)) is None
    assert service.receive_frame(b"\xc1") is None


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        "text",
        [FLOW],
        ["127.0.0.1:5060", b"x"],
        [FLOW, "text"],
        [None, b"x"],
        [FLOW, b"x", b"more"],
        [b"", b"x"],
        [FLOW[:-1], b"x"],
        [FLOW[:2], b"x"],
        [b"\1\3abc" + FLOW[2:], b"x"],
    ],
    ids=str,
)
def test_bad_items_are_counted_and_the_others_leave(
    service: EdgeTx, sockets: list[socket.socket], item: Any
) -> None:
    port = sockets[0].getsockname()[1]
    service.receive("sip.send", [item, [packed("127.0.0.1", port), b"good"]], 0.0)
    assert service.stats() == {"sent": 1, "failed": 0, "retried": 0, "bad_items": 1}


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 0), ("phone.test", 5060), ("", 5060)])
def test_what_the_kernel_refuses_is_counted(service: EdgeTx, host: str, port: int) -> None:
    service.receive("sip.send", [[packed(host, port), b"x"]], 0.0)
    assert service.stats() == {"sent": 0, "failed": 1, "retried": 0, "bad_items": 0}


@pytest.mark.parametrize(
    ("subject", "body"), [("sip.received", []), ("sip.send", None), ("sip.send", {"a": 1})]
)
def test_another_cast_is_counted(service: EdgeTx, subject: str, body: Any) -> None:
    service.receive(subject, body, 0.0)
    assert service.stats()["bad_items"] == 1
