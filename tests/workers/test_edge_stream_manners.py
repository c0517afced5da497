"""What phones cannot stand on a connection, and what they do there that is no fault."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from workers.test_edge_stream import Edge, later, request, response

PING, PONG = b"\r\n\r\n", b"\r\n"
SILENCE_S = 40_000.0
STRANGER_S = 180.0


@pytest.fixture
def edge() -> Iterator[Edge]:
    with TemporaryDirectory(prefix="sb") as directory:
        edge = Edge(Path(directory))
        yield edge
        edge.close()


@pytest.mark.parametrize(
    "status",
    [
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "423 Interval Too Brief",
        "503 Service Unavailable",
    ],
)
@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_connection_outlives_a_refusal(edge: Edge, method: str, status: str) -> None:
    """baresip and pjsua2 send no credentials if it ends after a challenge."""
    phone, refusal = edge.connect(), response(method, status=status)
    for _ in range(2):
        phone.sendall(request(method))
        ((flow, _, _),) = edge.items()
        edge.send(flow, refusal)
        assert edge.got(phone, len(refusal)) == refusal
        edge.take_all()
    later(edge, STRANGER_S - 1)
    assert edge.service._streams.count == 1


def segments(phone: socket.socket) -> int:
    """How many with data the phone has received."""
    info = phone.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    return int.from_bytes(info[152:156], sys.byteorder)  # tcpi_data_segs_in


def test_a_pong_and_a_response_are_segments_of_their_own(edge: Edge) -> None:
    """Sofia throws both away if they are one."""
    phone, answer = edge.connect(), response("REGISTER")
    phone.sendall(PING + request("REGISTER"))
    ((flow, _, _),) = edge.items()
    edge.take_all()
    assert (edge.got(phone, len(PONG)), segments(phone)) == (PONG, 1)
    phone.sendall(PING)
    edge.send(flow, answer)
    assert edge.got(phone, len(answer + PONG)) in (answer + PONG, PONG + answer)
    assert segments(phone) == 3


def test_nothing_is_said_unasked(edge: Edge) -> None:
    """Many phones do not answer a ping, and need none."""
    phone, answer = edge.connect(), response("REGISTER")
    phone.sendall(request("REGISTER"))
    ((flow, _, _),) = edge.items()
    edge.send(flow, answer)
    assert edge.got(phone, len(answer)) == answer
    later(edge, SILENCE_S)
    edge.loop.rounds.round(0.01)
    with pytest.raises(BlockingIOError):
        phone.recv(1)


@pytest.mark.parametrize("octets", [PONG, PING])
def test_any_octets_are_a_sign_of_life(edge: Edge, octets: bytes) -> None:
    """pjsua2 sends a single CRLF where it is told of a Flow-Timer."""
    phone, silent = edge.connect(), edge.connect()
    for each in (phone, silent):
        each.sendall(request("OPTIONS"))
    edge.items(2)
    for connection in edge.service._streams:
        connection.heard_at -= STRANGER_S - 10
    phone.sendall(octets)
    edge.serve_until(lambda: any(time.monotonic() - each.heard_at < 10 for each in edge.service._streams))
    later(edge, 20.0)
    edge.serve_until(lambda: edge.is_closed(silent))
    assert not edge.is_closed(phone)


def test_while_there_is_too_much_to_do_phones_are_told_to_come_back(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word for trouble that passes is 503, and the connection stays."""
    monkeypatch.setattr("switchboard.edge.receivers.FULL", -1)
    phone = edge.connect()
    phone.sendall(request("REGISTER"))
    answer = edge.got(phone, 100)
    assert answer.startswith(b"SIP/2.0 503 ")
    edge.serve_until(lambda: edge.service.stats()["messages.out"] == 1)
    assert b"\r\nRetry-After: " in answer + phone.recv(1 << 16)
    assert not edge.is_closed(phone)
