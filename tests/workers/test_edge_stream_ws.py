"""WebSockets over real TCP and ZeroMQ: what reaches the workers, what a successor goes on with, what ends them."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from transports.test_websocket import ACCEPTED, REQUEST, frame
from workers.test_edge_stream import Edge, request, response

from switchboard.sip.flow import WS, Flow
from switchboard.transports.connection import StreamLimits
from switchboard.transports.keeper_words import NAME, lend, visit


@pytest.fixture
def edge() -> Iterator[Edge]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        edge = Edge(Path(directory), WS, transports=("udp", "ws"), console_names=("pbx.example",))
        yield edge
        edge.close()


def test_a_page_sends_and_hears_over_many_workers(edge: Edge) -> None:
    page = edge.connect()
    page.sendall(REQUEST)
    assert edge.got(page, len(ACCEPTED)) == ACCEPTED
    raw = request("OPTIONS")
    octets = frame(raw[:20], fin=False) + frame(raw[20:], 0)
    page.sendall(octets[:40])
    edge.serve_until(lambda: edge.service._streams.stats()["connections"] == 1)
    edge.die()
    edge.start()
    page.sendall(octets[40:])
    ((flow, _, got),) = edge.items()
    assert (Flow.unpack(flow).transport, got) == (WS, raw)
    edge.take_all()
    edge.die()
    edge.start()
    edge.send(flow, response())
    framed = b"\x81\x7e" + len(response()).to_bytes(2, "big") + response()
    assert edge.got(page, len(framed)) == framed


def test_half_a_handshake_survives_and_ends_with_a_sentence(edge: Edge) -> None:
    page = edge.connect()
    page.sendall(REQUEST[:-2])
    edge.serve_until(lambda: edge.service._streams._input.midway)
    edge.die()
    edge.start()
    edge.serve_until(lambda: edge.service._streams._input.midway)
    edge.service._streams._limits = StreamLimits(half_s=0.0)
    assert edge.got(page, 28) == b"HTTP/1.1 408 Request Timeout"
    assert edge.ended() == {"half_a_message": 1}


def test_a_page_from_elsewhere_is_told_so(edge: Edge) -> None:
    page = edge.connect()
    page.sendall(REQUEST.replace(b"Origin: http://pbx", b"Origin: http://evil"))
    assert edge.got(page, 22) == b"HTTP/1.1 403 Forbidden"
    edge.serve_until(lambda: edge.ended() == {"bad_input": 1})


def test_a_connection_of_the_console_goes_on_where_the_handshake_ended(edge: Edge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as console:
        page = socket.create_connection(console.getsockname())
        taken, _ = console.accept()
    page.sendall(REQUEST)
    with taken, closing(visit(edge.settings.run_dir / NAME)) as desk:
        assert taken.recv(len(REQUEST)) == REQUEST
        taken.sendall(ACCEPTED)
        lend(desk, taken, WS, "192.0.2.7")
    for _ in range(2):
        page.sendall(frame(request("OPTIONS")))
        ((flow, _, got),) = edge.items()
        assert Flow.unpack(flow).hop == ("192.0.2.7", page.getsockname()[1])
        assert got == request("OPTIONS")
        edge.take_all()
        edge.die()
        edge.start()
    page.close()
