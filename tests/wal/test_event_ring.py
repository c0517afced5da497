"""Events that are told again until they are acknowledged: the reference, its native twin, and one beside the other."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import Unpacker  # type: ignore[import-untyped]
from playbook import MemoryLog

from switchboard.codec import pack
from switchboard.wal.event_ring import EventRing, EventRingInPython, event_key
from switchboard.wal.keyed_log import KeyedLog, KeyedLogInPython
from switchboard.wal.segment import REPEAT_S

Ring = EventRing | EventRingInPython
MakeRing = Callable[..., Ring]


@pytest.fixture(params=["of the board", "reference"])
def make_ring(request: pytest.FixtureRequest, tmp_path: Path) -> MakeRing:
    """Makes an empty ring of the kind that routers use here, or of the reference."""
    if request.param == "reference":
        return lambda **keep: EventRingInPython(KeyedLogInPython(tmp_path), **keep)
    return lambda **keep: EventRing(KeyedLog(tmp_path), **keep)


@pytest.fixture
def filled(make_ring: MakeRing) -> Callable[..., Ring]:
    """Makes one with so many events."""

    def make(count: int, keep: int = 100) -> Ring:
        ring = make_ring(keep=keep)
        for number in range(1, count + 1):
            ring.put(pack(["event", number]))
        return ring

    return make


def events(octets: bytes) -> list[list[object]]:
    unpacker = Unpacker()
    unpacker.feed(octets)
    return list(unpacker)


def due(ring: Ring, now: float, at_most: int = 256) -> list[object]:
    """The numbers of what is to be told."""
    count, octets, last = ring.take(now, at_most)
    numbers = [number for number, *_ in events(octets)]
    assert (len(numbers), numbers[-1:]) == (count, [last] if count else [])
    return numbers


def tell(ring: Ring, now: float, at_most: int = 256) -> list[object]:
    """Tell what is to be told, as a router does whose journal is there."""
    numbers = due(ring, now, at_most)
    if numbers:
        ring.told(ring.take(now, at_most)[2], now)
    return numbers


def test_numbers_and_order(filled: Callable[..., Ring]) -> None:
    ring = filled(2)
    count, octets, last = ring.take(0.0)
    assert (count, events(octets), last) == (2, [[1, "event", 1], [2, "event", 2]], 2)
    assert (ring.waiting, ring.last) == (2, 2)


def test_news_are_what_was_not_told(filled: Callable[..., Ring]) -> None:
    ring = filled(2)
    assert ring.has_news
    tell(ring, 0.0)
    assert not ring.has_news
    ring.put(pack(["event", 3]))
    assert ring.has_news
    tell(ring, 0.0)
    ring.acknowledge(3, 0.1)
    assert not ring.has_news


def test_nothing_waits(make_ring: MakeRing) -> None:
    ring = make_ring()
    assert not ring.has_news
    assert ring.take(0.0) == (0, b"", 0)
    assert ring.next_deadline() is None


def test_until_it_was_told_it_is_told(filled: Callable[..., Ring]) -> None:
    """A peer that is away gets the same ring at the next occasion."""
    ring = filled(2)
    assert due(ring, 0.0) == due(ring, 0.1) == [1, 2]
    assert ring.next_deadline() is None


def test_each_is_told_once_for_a_while(filled: Callable[..., Ring]) -> None:
    ring = filled(3)
    assert tell(ring, 0.0, at_most=2) == [1, 2]
    assert tell(ring, 0.0, at_most=2) == [3]
    assert tell(ring, REPEAT_S - 0.01) == []
    ring.put(pack(["more"]))
    assert tell(ring, REPEAT_S - 0.01) == [4]


def test_told_again_from_the_first_unacknowledged(filled: Callable[..., Ring]) -> None:
    ring = filled(3)
    tell(ring, 0.0)
    ring.acknowledge(1, 0.25)
    assert ring.next_deadline() == 0.25 + REPEAT_S
    assert tell(ring, 0.25 + REPEAT_S) == [2, 3]
    assert tell(ring, 0.5 + REPEAT_S) == []
    assert tell(ring, 0.25 + 2 * REPEAT_S) == [2, 3]


def test_told_again_to_a_peer_that_was_away(filled: Callable[..., Ring]) -> None:
    """The repetition could not be sent: it stays due."""
    ring = filled(2)
    tell(ring, 0.0)
    assert due(ring, REPEAT_S) == [1, 2]
    assert tell(ring, REPEAT_S + 0.1) == [1, 2]


def test_all_acknowledged(filled: Callable[..., Ring]) -> None:
    ring = filled(2)
    tell(ring, 0.0)
    ring.acknowledge(2, 0.1)
    assert (ring.waiting, ring.next_deadline(), tell(ring, 9.0)) == (0, None, [])
    ring.put(pack(["next"]))
    assert tell(ring, 9.0) == [3]


@pytest.mark.parametrize("number", [0, 1])
def test_late_acknowledgement_takes_nothing_away(number: int, filled: Callable[..., Ring]) -> None:
    ring = filled(3)
    tell(ring, 0.0)
    ring.acknowledge(1, 0.1)
    ring.acknowledge(number, 0.2)
    assert ring.waiting == 2


def test_oldest_are_dropped(filled: Callable[..., Ring]) -> None:
    ring = filled(5, keep=3)
    assert (ring.waiting, ring.dropped) == (3, 2)
    assert tell(ring, 0.0) == [3, 4, 5]


def test_dropped_while_they_wait_for_their_acknowledgement(filled: Callable[..., Ring]) -> None:
    ring = filled(3, keep=3)
    assert tell(ring, 0.0) == [1, 2, 3]
    ring.put(pack(["fourth"]))
    assert tell(ring, 0.1) == [4]
    ring.acknowledge(1, 0.2)
    assert tell(ring, 0.2 + REPEAT_S) == [2, 3, 4]


def test_an_acknowledgement_without_progress_delays_nothing(filled: Callable[..., Ring]) -> None:
    """The journal has lost a frame, and refuses what comes behind the gap with the number before it."""
    ring = filled(3)
    tell(ring, 10.0)
    ring.acknowledge(1, 10.5)
    for instant in (10.7, 10.9, 11.1, 11.3):
        ring.acknowledge(1, instant)
        assert due(ring, instant) == []
    assert due(ring, 11.6) == [2, 3]


def test_what_the_journal_holds_is_not_told_again_for_now(filled: Callable[..., Ring]) -> None:
    """Its disk is full: it says so again and again. Once it does not, it may have lost what it held."""
    ring = filled(2)
    ring.held(5.0)
    assert ring.next_deadline() is None
    tell(ring, 10.0)
    for instant in (10.5, 11.4, 12.3):
        ring.held(instant)
        assert due(ring, instant) == []
    assert ring.next_deadline() == 12.3 + REPEAT_S
    assert due(ring, 13.3) == [1, 2]


def test_news_behind_a_gap_of_the_numbers_are_told_at_once(make_ring: MakeRing) -> None:
    """A successor after a restart of the machine leaves numbers out."""
    ring = make_ring()
    ring.restore(1000, [(2, pack(["b"])), (1, pack(["a"]))])
    assert ring.put(pack(["c"])) == 1001
    assert tell(ring, 0.0) == [1, 2, 1001]
    ring.put(pack(["d"]))
    assert tell(ring, 0.1) == [1002]


@pytest.mark.parametrize("octets", [b"", b"\xc0", b"\xdc\x00", pack("text"), pack({1: 2})])
def test_what_is_no_list_is_refused(make_ring: MakeRing, octets: bytes) -> None:
    ring = make_ring()
    with pytest.raises(ValueError, match="no packed list"):
        ring.put(octets)
    with pytest.raises(ValueError, match="no packed list"):
        ring.restore(1, [(1, octets)])
    assert ring.waiting == 0


def test_the_log_holds_what_waits() -> None:
    log = MemoryLog()
    ring = EventRingInPython(log, keep=2)
    for kind in ("a", "b", "c", "d"):
        ring.put(pack([kind]))
    assert log == {event_key(3): pack(["c"]), event_key(4): pack(["d"])}
    assert ring.acknowledge(3, 0.0) == 1
    assert log == {event_key(4): pack(["d"])}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.integers(-1, 300) | st.text() | st.floats(), max_size=20)),
        st.tuples(st.sampled_from(["take", "tell", "acknowledge", "held"]), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([0.1, REPEAT_S])),
        st.tuples(st.just("crash"), st.sampled_from([0, 300, 70_000, 2**33])),
    ),
    max_size=40,
)
Step = tuple[str, object]


class Life:
    """A ring over its successors, on a board of its own."""

    def __init__(self, kind: MakeRing, log: KeyedLog) -> None:
        self.kind, self.log = kind, log
        self.ring = kind(log, keep=7)
        self.now = 0.0

    def step(self, name: str, value: int | float | list[object]) -> object:
        ring = self.ring
        match name, value:
            case "put", list():
                return ring.put(pack(value))
            case "take", int():
                return ring.take(self.now, value)
            case "tell", int():
                ring.told(max(0, ring.last - value), self.now)
            case "acknowledge", int():
                return ring.acknowledge(max(0, ring.last - value), self.now)
            case "held", int():
                ring.held(self.now)
            case "wait", float():
                self.now += value
            case "crash", int():
                self._crash(value)
        return ring.waiting, ring.has_news, ring.dropped, ring.last, ring.next_deadline()

    def _crash(self, skipped: int) -> None:
        last = self.ring.last + skipped
        self.ring = self.kind(self.log, keep=7)
        self.ring.restore(last, [(int.from_bytes(key[1:], "big"), value) for key, value in self.log.items()])


@given(steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_the_twins_are_alike(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """The same numbers, octets, instants, and records in the log."""
    board = Life(EventRing, KeyedLog(tmp_path_factory.mktemp("board")))
    reference = Life(EventRingInPython, KeyedLog(tmp_path_factory.mktemp("reference")))
    for name, value in steps:
        assert board.step(name, value) == reference.step(name, value)
        assert list(board.log.items()) == list(reference.log.items())


@given(st.lists(st.one_of(st.just("put"), st.just("away"), st.just("tell"), st.integers(0, 3)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_journal_gets_everything_in_order(steps: Iterable[str | int]) -> None:
    """Whatever is lost on the way: what it has, seen without repetitions, is 1, 2, 3, …"""
    ring, had, now = EventRingInPython(MemoryLog()), 0, 0.0
    for step in [*steps, "tell", 0, "tell", 0]:
        now += REPEAT_S
        if step == "put":
            ring.put(pack([]))
        elif step == "away":
            ring.take(now)
        elif step == "tell":
            for number in tell(ring, now):
                assert isinstance(number, int)
                assert number <= had + 1
                had = max(had, number)
        else:
            ring.acknowledge(max(0, had - int(step)), now)
    assert ring.waiting == 0
    assert ring.next_deadline() is None
