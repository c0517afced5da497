"""States that outlive the process, and the counts of the kernel by which they are found."""

import mmap
from collections.abc import Iterator
from contextlib import closing

import pytest
from compiled import needs_compiled_core
from hypothesis import given
from hypothesis import strategies as st

from switchboard.transports import stream_states
from switchboard.transports.stream_states import LARGEST_STATE, StreamStates, note_in_python, octets_of

SLOTS = 4
A, B, C = (bytes((number,)) * 8 for number in (1, 2, 3))


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with closing(mmap.mmap(-1, 100 + octets_of(SLOTS))) as memory:
        yield memory


def states(memory: mmap.mmap) -> StreamStates:
    return StreamStates(memory, 100, SLOTS)


def test_a_successor_takes_the_state_that_fits(memory: mmap.mmap) -> None:
    first = states(memory)
    slot = first.take(A)
    assert slot is not None
    for count in (10, 25, 31):
        first.note_reading(slot, count, b"read at %d" % count)
        first.note_writing(slot, 2 * count, b"written at %d" % count)
    second = states(memory)
    assert second.find(B) is None
    slot = second.find(A)
    assert slot is not None
    assert [second.reading(slot, count) for count in (10, 25, 31)] == [b"", b"read at 25", b"read at 31"]
    assert second.reading(slot, 32) == b"read at 31", "the peer has ended"
    assert [second.writing(slot, count) for count in (20, 50, 62, 63)] == [
        b"",
        b"written at 25",
        b"written at 31",
        b"",
    ]


def test_a_kill_in_the_middle_of_a_note(memory: mmap.mmap, monkeypatch: pytest.MonkeyPatch) -> None:
    first = states(memory)
    slot = first.take(A)
    assert slot is not None
    first.note_writing(slot, 10, b"ten")
    first.note_writing(slot, 20, b"twenty")

    monkeypatch.setattr(stream_states, "note", note_in_python)

    class Killed(Exception):
        pass

    class Stopping:
        """Memory that is written to only so often."""

        def __init__(self, writes: int) -> None:
            self.left = writes

        def __getitem__(self, key: slice) -> bytes:
            return memory[key]

        def __setitem__(self, key: slice, value: bytes) -> None:
            if not self.left:
                raise Killed
            self.left -= 1
            memory[key] = value

    for writes in range(4):
        again = states(memory)
        slot = again.find(A)
        assert slot is not None
        copy = bytes(memory)
        monkeypatch.setattr(again, "_memory", Stopping(writes))
        with pytest.raises(Killed):
            again.note_writing(slot, 30, b"thirty")
        after = states(memory)
        assert after.writing(slot, 20) == b"twenty"
        assert after.writing(slot, 30) == b""
        memory[:] = copy


def test_slots_are_bounded_and_used_again(memory: mmap.mmap) -> None:
    first = states(memory)
    slots = [first.take(bytes((number,)) * 8) for number in range(1, SLOTS + 2)]
    assert slots[-1] is None
    assert len(set(slots)) == SLOTS + 1
    assert slots[0] is not None
    first.note_reading(slots[0], 1, LARGEST_STATE * b"k")
    first.free(slots[0])
    assert LARGEST_STATE * b"k" not in bytes(memory), "keys are erased"
    assert first.take(C) == slots[0]


def test_what_nobody_asks_for_is_freed(memory: mmap.mmap) -> None:
    first = states(memory)
    slot = first.take(A)
    assert slot is not None
    first.note_reading(slot, 5, b"key")
    second = states(memory)
    second.forget_rest()
    assert states(memory).find(A) is None
    assert b"key" not in bytes(memory)


@needs_compiled_core
@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(min_size=1, max_size=LARGEST_STATE)), max_size=6)
)
def test_the_compiled_twin_puts_them_at_the_same_places(noted: list[tuple[int, bytes]]) -> None:
    from switchboard._native.wire import note

    with closing(mmap.mmap(-1, 200)) as one, closing(mmap.mmap(-1, 200)) as other:
        for count, state in noted:
            note(one, 10, 90, count, state)
            note_in_python(other, 10, 90, count, state)
            assert one[:] == other[:]


@needs_compiled_core
@pytest.mark.parametrize("places", [(-1, 90), (90, 10), (10, 60), (10, 191)])
def test_the_compiled_twin_writes_nowhere_else(places: tuple[int, int]) -> None:
    from switchboard._native.wire import note

    state = bytes(LARGEST_STATE)
    with closing(mmap.mmap(-1, 200)) as memory, pytest.raises(ValueError, match="no place"):
        note(memory, *places, 1, state)
