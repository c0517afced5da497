"""Which edge of several sends what, and what becomes of it while one of them is away."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bus.contexts import OwningContext

from switchboard.bus.endpoints import Endpoints
from switchboard.bus.frames import pack_sent
from switchboard.bus.outbox import PackedOutbox
from switchboard.bus.reach import AWAY_S
from switchboard.sip.flow import TCP, UDP, Flow, connection_of, packed_address
from switchboard.transports.edge_outboxes import LOOK_S, Edges, EdgeTxOutboxes, split_over
from switchboard.transports.sender import Sender
from switchboard.transports.stream_outboxes import StreamOutboxes

FIRST, SECOND, SHARED, PHONE = "10.0.0.1", "10.0.0.2", "10.0.0.50", "10.0.0.9"
BY_ADDRESS = {packed_address(FIRST): (0,), packed_address(SECOND): (1,), packed_address(SHARED): (0, 1)}
REQUEST, ACK = b"MESSAGE sip:x SIP/2.0\r\n\r\n", b"ACK sip:x SIP/2.0\r\n\r\n"


@dataclass
class Link:
    """Of a peer: whether it takes frames."""

    takes_frames: bool = True


def edges(here: int | None = None, *away: int) -> Edges:
    found = Edges(2, BY_ADDRESS, streams=2, here=here)
    if away:
        links = [Link(number not in away) for number in range(2)]
        assert not found.look(links, 0.0)  # type: ignore[arg-type]
        assert found.look(links, AWAY_S)  # type: ignore[arg-type]
    return found


def from_address(local: str, connection: bytes = b"", transport: int = UDP) -> bytes:
    return Flow(transport, local, PHONE, 5060, connection).pack()


def connected(stream: int) -> bytes:
    return from_address(FIRST, connection_of(stream, bytes(8)), TCP)


@pytest.mark.parametrize(
    ("local", "here", "away", "number", "leaves_from"),
    [
        (FIRST, None, (), 0, FIRST),
        (SECOND, None, (), 1, SECOND),
        (SECOND, 0, (), 1, SECOND),
        (FIRST, None, (0,), 1, ""),
        (SECOND, 1, (1,), 0, ""),
        (SHARED, None, (), 0, SHARED),
        (SHARED, None, (0,), 1, SHARED),
        ("", None, (), 0, ""),
        ("", 1, (), 1, ""),
        ("", 1, (1,), 0, ""),
        ("10.7.7.7", 1, (), 1, "10.7.7.7"),  # an address that this machine has had for a moment
    ],
)
def test_a_datagram_leaves_where_its_address_is(
    local: str, here: int | None, away: tuple[int, ...], number: int, leaves_from: str
) -> None:
    found, flow = edges(here, *away).of_datagram(from_address(local))
    assert (found, Flow.unpack(flow)) == (number, Flow(UDP, leaves_from, PHONE, 5060))


def test_all_edges_away_are_none() -> None:
    found = edges()
    links = [Link(False), Link(False)]
    for now in (0.0, AWAY_S):
        assert not found.look(links, now)  # type: ignore[arg-type]
    assert (found.away, found.due_at) == (frozenset(), AWAY_S + LOOK_S)


def test_an_edge_that_is_back_sends_again() -> None:
    found = edges(None, 0)
    assert found.away == {0}
    links = [Link(), Link()]
    assert found.look(links, 2 * AWAY_S)  # type: ignore[arg-type]
    assert found.away == frozenset()


@pytest.mark.parametrize(
    ("flow", "away", "stream"),
    [
        (connected(1), (), 1),
        (connected(2), (), 2),
        (connected(2), (0,), 2),
        (connected(1), (0,), None),
        (connected(3), (1,), None),
    ],
)
def test_a_connection_is_at_one_edge(flow: bytes, away: tuple[int, ...], stream: int | None) -> None:
    assert edges(None, *away).of_stream(flow) == stream


@pytest.mark.parametrize(("local", "away", "edge"), [(FIRST, (), 0), (SECOND, (), 1), (SECOND, (1,), 0)])
def test_a_connection_is_made_where_its_address_is(local: str, away: tuple[int, ...], edge: int) -> None:
    stream = edges(None, *away).of_stream(from_address(local, transport=TCP))
    assert stream is not None
    assert stream // 2 == edge


def test_what_was_for_a_connection_that_is_away_is_told() -> None:
    flows = [connected(0), connected(2), from_address(FIRST)]
    items = [pack_sent(flow, ACK) for flow in flows]
    lost: list[tuple[bytes, bytes]] = []
    assert split_over(edges(None, 0), (3, b"".join(items)), lost) == (
        (1, items[2]),
        [(2, (1, items[1]))],
        [(2, items[1])],
    )
    assert lost == [(flows[0], ACK)]


@pytest.fixture
def context() -> Iterator[OwningContext]:
    made = OwningContext()
    yield made
    made.destroy(linger=0)


def test_what_waits_for_an_edge_that_is_away_leaves_through_the_other(
    context: OwningContext, tmp_path: Path
) -> None:
    found = edges()
    outboxes = EdgeTxOutboxes(context, Endpoints(tmp_path), found)
    for local in (FIRST, SECOND):
        outboxes.put((1, pack_sent(from_address(local), REQUEST)))
    assert ([each.waiting for each in outboxes.outboxes], outboxes.waiting) == ([1, 1], 2)
    assert not outboxes.flush()
    found.away = frozenset({0})
    outboxes.put_elsewhere()
    assert [each.waiting for each in outboxes.outboxes] == [0, 2]
    moved = outboxes.take_back()[1]
    assert moved == pack_sent(from_address(""), REQUEST)
    outboxes.close()


def test_a_sender_tells_what_is_lost(context: OwningContext, tmp_path: Path) -> None:
    found = edges(None, 0)
    sender = Sender(context, Endpoints(tmp_path), None, 4, edges=found)
    names = [each.peer.name for each in sender.outboxes]
    assert names[:3] == ["translator.0", "edge-tx.0", "edge-tx.1"]
    assert (sender.away, sender.has_lost) == ({0}, False)
    sender.put([connected(1), REQUEST])
    sender.flush()
    assert sender.has_lost
    assert (sender.take_lost(), sender.has_lost) == ([(connected(1), REQUEST)], False)
    sender.close()


def test_what_waits_for_a_connection_of_an_edge_that_goes_away_is_lost(
    context: OwningContext, tmp_path: Path
) -> None:
    found = edges()
    outboxes = StreamOutboxes(context, Endpoints(tmp_path), 4, found)
    dialled = from_address(FIRST, transport=TCP)
    for flow in (connected(1), connected(2), dialled):
        outboxes.take_from((1, pack_sent(flow, REQUEST)))
    assert sum(each.waiting for each in outboxes.outboxes[:2]) == 2
    found.away = frozenset({0})
    outboxes.put_elsewhere()
    assert outboxes.lost == [(connected(1), REQUEST)]
    assert [each.waiting for each in outboxes.outboxes[:2]] == [0, 0]
    assert sum(each.waiting for each in outboxes.outboxes[2:]) == 2


def test_streams_of_one_edge_are_found_as_before(context: OwningContext, tmp_path: Path) -> None:
    outboxes = StreamOutboxes(context, Endpoints(tmp_path), 2)
    item = pack_sent(connected(1), REQUEST)
    assert outboxes.take_from((1, item)) == (0, b"")
    waiting: list[int] = [each.waiting for each in outboxes.outboxes if isinstance(each, PackedOutbox)]
    assert waiting == [0, 1]
