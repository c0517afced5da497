"""The table of what is yet to be written."""

import os
from collections.abc import Iterator

import pytest
from compiled import needs_compiled_core

from switchboard.transports.stream_table import (
    OCTETS_AT,
    RING_OCTETS,
    RINGS,
    StreamTable,
    make_table,
)

SERIAL = b"12345678"


@pytest.fixture
def fd() -> Iterator[int]:
    fd = make_table()
    yield fd
    os.close(fd)


def test_a_successor_finds_what_was_left(fd: int) -> None:
    table = StreamTable(fd)
    ring = table.take(SERIAL, 1, 0, b"abc")
    assert ring is not None
    assert table.extend(ring, 0, 3, b"def")
    table.close()
    successor = StreamTable(fd)
    ((serial, counted, end, found),) = successor.unwritten()
    assert (serial, counted, end, found) == (SERIAL, 1, 6, ring)
    assert (successor.read(found, 2, end), successor.generation, successor.used) == (b"cdef", 1, 1)
    successor.free(found)
    assert (successor.unwritten(), successor.used) == ([], 0)
    successor.close()


def test_output_goes_round_in_its_ring(fd: int) -> None:
    table = StreamTable(fd)
    start = RING_OCTETS - 2
    ring = table.take(SERIAL, 0, start, b"abcd")
    assert ring is not None
    assert table.read(ring, start, start + 4) == b"abcd"
    assert table.extend(ring, start + 2, start + 4, bytes(RING_OCTETS - 2))
    assert table.read(ring, start + 2, start + 4) == b"cd"
    assert not table.extend(ring, start + 2, start + RING_OCTETS + 2, b"x")
    table.close()


@needs_compiled_core
@pytest.mark.parametrize("start", [0, 5, RING_OCTETS - 2])
def test_compiled_rings_have_the_same_octets(start: int) -> None:
    from switchboard._native.wire import Rings

    fds = [make_table(), make_table()]
    tables = [StreamTable(fd) for fd in fds]
    ring = tables[0].take(SERIAL, 7, start, b"abcd")
    assert ring is not None
    rings = Rings(fds[1])
    rings.put(ring, SERIAL, 7, start, b"abcd")
    assert octets_of(fds[0]) == octets_of(fds[1])
    tables[0].free(ring)
    rings.clear(ring)
    assert octets_of(fds[0]) == octets_of(fds[1])
    for table, fd in zip(tables, fds, strict=True):
        table.close()
        os.close(fd)


def octets_of(fd: int) -> bytes:
    return os.pread(fd, OCTETS_AT + RINGS * RING_OCTETS, 0)


def test_rings_are_bounded_and_used_again(fd: int) -> None:
    table = StreamTable(fd)
    rings = [table.take(SERIAL, 0, 0, b"x") for _ in range(RINGS)]
    assert {*rings} == {*range(RINGS)}
    assert table.take(SERIAL, 0, 0, b"x") is None
    table.free(7)
    assert table.take(SERIAL, 0, 0, b"x" * (RING_OCTETS + 1)) is None
    assert table.take(SERIAL, 0, 0, b"x") == 7
    table.close()
