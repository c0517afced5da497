"""What the channels of connections need to go on in another process, in memory that outlives an edge-stream.

Theory. Plain TCP needs nothing: what was not consumed is read again. TLS needs for each direction a key and the number
of the next record (`tls_records.py`), and these have to fit what has really left the kernel's buffer, and what has
really gone into it, at the moment of the kill. So a state is kept together with the *count* at which it is right, a
number that the kernel knows, too: octets that it has given to us, or has accepted from us. Of each direction there are
two: the next one is written before the count changes. A successor asks the kernel, and takes the one that fits.
"""

import mmap
import struct
from typing import Final

from switchboard.sip.flow import SERIAL_OCTETS

LARGEST_STATE: Final = 63
_STATE: Final = struct.Struct(f"=QB{LARGEST_STATE}s")
"""One of them: its count, its length (0: there is none), itself."""
_HEAD: Final = struct.Struct("=QB")
_SLOT_OCTETS: Final = 320
_MARK: Final = struct.Struct("@Q")
_STATES_AT: Final = 16
_READING, _WRITING = 0, 2


def octets_of(slots: int) -> int:
    """Return how much memory the states of so many connections take."""
    return _MARK.size + slots * _SLOT_OCTETS


class StreamStates:
    """The states of at most `slots` connections, from `start` on in the memory of one edge-stream. Secret."""

    def __init__(self, memory: mmap.mmap, start: int, slots: int) -> None:
        self._memory, self._mark_at, self._slots = memory, start, slots
        self._start = start + _MARK.size
        (self._mark,) = _MARK.unpack_from(
            memory, start
        )  # slots that were ever used; the others are not looked at
        serials = [self._serial(slot) for slot in range(self._mark)]
        self._free = [slot for slot, serial in enumerate(serials) if not any(serial)]
        self._left = {serial: slot for slot, serial in enumerate(serials) if any(serial)}

    def find(self, serial: bytes) -> int | None:
        """Return the slot of a connection of the predecessor's, once."""
        return self._left.pop(serial, None)

    def forget_rest(self) -> None:
        """Free what nobody has asked for: those connections have ended."""
        for slot in self._left.values():
            self.free(slot)
        self._left.clear()

    def take(self, serial: bytes) -> int | None:
        """Return a slot for a connection; None: there is none left."""
        if not self._free:
            if self._mark == self._slots:
                return None
            self._free.append(self._mark)
            self._mark += 1
            _MARK.pack_into(self._memory, self._mark_at, self._mark)
        slot = self._free.pop()
        at = self._at(slot)
        self._memory[at : at + SERIAL_OCTETS] = serial
        return slot

    def enter(self, serial: bytes, consumed: int, reading: bytes, written: int, writing: bytes) -> int | None:
        """Return a slot with the states of a connection that another process has begun; None: there is none left.

        `consumed`, `written`: the counts at which they are right.
        """
        slot = self.take(serial)
        if slot is not None:
            self.note_reading(slot, consumed, reading)
            self.note_writing(slot, written, writing)
        return slot

    def free(self, slot: int) -> None:
        """The connection has ended; its keys are erased."""
        at = self._at(slot)
        self._memory[at : at + _SLOT_OCTETS] = bytes(_SLOT_OCTETS)
        self._free.append(slot)

    def note_reading(self, slot: int, count: int, state: bytes) -> None:
        """When the kernel will have given us `count` octets, `state` is right for what it gives next."""
        self._note(slot, _READING, count, state)

    def note_writing(self, slot: int, count: int, state: bytes) -> None:
        """When the kernel will have accepted, or a successor will have to write, `count` octets, `state` is right."""
        self._note(slot, _WRITING, count, state)

    def reading(self, slot: int, count: int) -> bytes:
        """Return the state that is right at `counts_of`; b"" if none is."""
        return self._look(slot, _READING, count) or self._look(slot, _READING, count - 1)

    def writing(self, slot: int, count: int) -> bytes:
        """Return the state that is right behind so many octets; b"" if none is."""
        return self._look(slot, _WRITING, count)

    def _note(self, slot: int, which: int, count: int, state: bytes) -> None:
        first = self._state_at(slot, which)
        note(self._memory, first, first + _STATE.size, count, state)

    def _look(self, slot: int, which: int, count: int) -> bytes:
        for number in (which, which + 1):
            found, size, state = self._read(slot, number)
            if size and found == count:
                return state[:size]
        return b""

    def _read(self, slot: int, number: int) -> tuple[int, int, bytes]:
        count, size, state = _STATE.unpack_from(self._memory, self._state_at(slot, number))
        return count, size, state

    def _serial(self, slot: int) -> bytes:
        return self._memory[self._at(slot) : self._at(slot) + SERIAL_OCTETS]

    def _at(self, slot: int) -> int:
        return self._start + slot * _SLOT_OCTETS

    def _state_at(self, slot: int, number: int) -> int:
        return self._at(slot) + _STATES_AT + number * _STATE.size


def note_in_python(memory: mmap.mmap, first: int, second: int, count: int, state: bytes) -> None:
    """Put a state and its count where the older of two is, which are at `first` and at `second`."""
    one, other = (_HEAD.unpack(memory[at : at + _HEAD.size]) for at in (first, second))
    at = second if one[1] and (not other[1] or one[0] >= other[0]) else first
    memory[at + 8] = 0
    memory[at + 9 : at + 9 + len(state)] = state
    memory[at : at + 8] = struct.pack("=Q", count)
    memory[at + 8] = len(state)


try:
    from switchboard._native.wire import note
except ImportError:
    note = note_in_python
