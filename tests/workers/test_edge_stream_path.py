"""The fast path of edge-stream, and the reference: what phones and receivers get is the same."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from compiled import needs_compiled_core
from workers.test_edge_stream import Edge, long_response, request, response

from switchboard.bus import frames
from switchboard.sip.flow import Flow

ROUNDS = 12
PIECES = (
    request(),
    request("OPTIONS", "b"),
    request("REGISTER", "c"),
    request("INVITE", "d", "v=0\r\n\r\n"),
    request("ACK", "e"),
    response(),
    request("INVITE", "f").replace(b"Content-Length: 0", b"l:\r\n 0"),
    request("INVITE", "g").replace(b"Call-ID:", b"Subject: \xff\r\nCall-ID:"),
    b"\r\n\r\n",
    b"\r\n",
)
SENT = (
    response("INVITE"),
    response("INVITE", status="180 Ringing"),
    response("REGISTER"),
    request("BYE"),
    request("ACK"),
    response("INVITE").replace(b"Content-Length: 0\r\n", b""),
    long_response(),
)


@contextmanager
def running(is_compiled: bool) -> Iterator[Edge]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        edge = Edge(Path(directory), is_compiled=is_compiled)
        try:
            yield edge
        finally:
            edge.close()


def known(edge: Edge) -> tuple[Any, bytes]:
    """A phone that is no stranger, and the flow of its connection."""
    phone = edge.connect()
    phone.sendall(request())
    ((flow, _, _),) = edge.items()
    edge.take_all()
    edge.send(flow, response("INVITE"))
    edge.got(phone, len(response("INVITE")))
    return phone, flow


def heard(is_compiled: bool, seed: int) -> list[list[Any]]:
    """What receivers get of random messages in random pieces, from two phones; and what the phones get."""
    chance = Random(seed)
    with running(is_compiled) as edge:
        phones = [known(edge)[0], edge.connect()]
        outcome: list[list[Any]] = [[] for _ in phones]
        for number in range(ROUNDS):
            phone = phones[number % 2]
            chosen = [chance.choice(PIECES) for _ in range(chance.randint(1, 6))]
            octets = b"".join(chosen)
            cut = chance.choice((0, chance.randrange(len(octets))))
            phone.sendall(octets[:cut])
            edge.loop.rounds.round(0.01)
            phone.sendall(octets[cut:])
            messages = [each for each in chosen if each.strip()]
            got = edge.items(len(messages)) if messages else []
            edge.take_all()
            outcome[number % 2] += sorted([index, raw] for _, index, raw in got)
        stats = edge.service.stats()
        return [*outcome, [stats["messages.in"], stats["bad_items"]]]


@needs_compiled_core
@pytest.mark.parametrize("seed", range(4))
def test_receivers_get_the_same(seed: int) -> None:
    assert heard(True, seed) == heard(False, seed)


def said(is_compiled: bool, seed: int) -> list[Any]:
    """What two phones get of frames with random messages for both, in random order."""
    chance = Random(seed)
    with running(is_compiled) as edge:
        ways = [known(edge), known(edge)]
        expected = [0, 0]
        for _ in range(ROUNDS):
            chosen = [(chance.randrange(2), chance.choice(SENT)) for _ in range(chance.randint(1, 5))]
            for number, raw in chosen:
                expected[number] += len(raw) + len(b"Content-Length: 0\r\n") * (b"Content-Length" not in raw)
            items = [[ways[number][1], raw] for number, raw in chosen]
            assert edge.sender.send("sip.send", items)
        got = [edge.got(phone, size) for (phone, _), size in zip(ways, expected, strict=True)]
        recent = [[head for _, head in each.recent or ()] for each in edge.service._streams]
        stats = edge.service.stats()
        return [got, recent, stats["messages.out"], stats["rings"]]


@needs_compiled_core
@pytest.mark.parametrize("seed", range(4))
def test_phones_get_the_same(seed: int) -> None:
    assert said(True, seed) == said(False, seed)


@pytest.mark.parametrize("is_compiled", [True, False])
def test_a_successor_writes_what_was_not_written_to_whoever_is_known(is_compiled: bool) -> None:
    with running(is_compiled) as edge:
        phone, flow = known(edge)
        octets = b""
        while not edge.service._streams._output.stalled:
            edge.send(flow, long_response())
            octets += long_response()
            edge.loop.rounds.round(0.01)
        edge.send(flow, response())
        edge.loop.rounds.round(0.01)
        edge.die()
        edge.start()
        octets += response()
        assert edge.got(phone, len(octets)) == octets
        assert edge.service.stats()["rings"] == 0


@pytest.mark.parametrize("is_compiled", [True, False])
def test_what_a_known_phone_sent_is_read_again_until_it_is_taken(is_compiled: bool) -> None:
    with running(is_compiled) as edge:
        phone, _ = known(edge)
        phone.sendall(request("BYE", "x") + request("BYE", "y"))
        sent = [raw for _, _, raw in edge.items(2)]
        edge.die()
        edge.start()
        assert sorted(raw for _, _, raw in edge.items(2)) == sorted(sent)
        edge.take_all()
        edge.die()
        edge.start()
        phone.sendall(request("BYE", "z"))
        assert [raw for _, _, raw in edge.items()] == [request("BYE", "z")]


@needs_compiled_core
def test_plain_frames_are_taken_and_others_left() -> None:
    with running(True) as edge:
        _, flow = known(edge)
        path = edge.service.fast_path
        assert path is not None
        now = time.monotonic()
        item = [flow, response("INVITE")]
        for body, taken in (
            ([item, item], 2),
            ([], 0),
            ([[flow]], None),
            ([[flow, "text"]], None),
            (None, None),
        ):
            assert path.receive(frames.pack("sip.send", body), now) == taken, body
        assert path.receive(frames.pack("sip.send", [item])[:-1], now) is None
        assert path.receive(frames.pack("sip.taken", [item]), now) is None
        elsewhere = Flow.unpack(flow)._replace(connection=bytes(9))
        assert path.receive(frames.pack("sip.send", [[elsewhere.pack(), response("INVITE")]]), now) == 1
        assert path.receive(frames.pack("sip.send", [[b"no flow", response("INVITE")]]), now) == 1
        assert edge.service.stats()["bad_items"] == 1
        assert edge.service.stats()["messages.out"] >= 3
        edge.service._tap.is_open = True
        assert path.receive(frames.pack("sip.send", [item]), now) is None
