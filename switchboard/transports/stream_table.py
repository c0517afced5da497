"""What an edge-stream has yet to write, in memory that outlives it (memfd_create(2)).

Theory. A process that is killed in the middle of a message must not leave half of it on a connection. So octets go
into the table before they go to the socket. The table has a bounded number of rings, and a connection has one only
while something of it has not left. An octet's place in a ring is its place in the connection's output, modulo the
ring's size, so that one number, how far the output goes, is all that changes when octets are added; it is written
last, and by one store. How much of it the kernel has accepted, the kernel itself knows: what the peer has
acknowledged (`tcpi_bytes_acked`), and what waits or is on its way (SIOCOUTQ). A successor writes the rest.
"""

import mmap
import os
import struct
from typing import Final, NamedTuple

from switchboard.sip.flow import SERIAL_OCTETS
from switchboard.transports.stream_states import StreamStates, octets_of

RINGS: Final = 256
RING_OCTETS: Final = 1 << 18
"""More than the largest message takes, twice."""
OCTETS_AT: Final = 8192
"""Where the octets of the rings begin."""
HEAD: Final = struct.Struct(f"={SERIAL_OCTETS}sQQ")
"""Of a ring: the connection's serial number, what the kernel had counted when its output began, and how far the
output goes; 0 while the ring is free."""
_END_AT: Final = SERIAL_OCTETS + 8
_NUMBER: Final = struct.Struct("@Q")
"""Native, so that it is written by one store."""
HEADS_AT: Final = _NUMBER.size
"""Where those of the rings begin."""
_STATES_AT: Final = OCTETS_AT + RINGS * RING_OCTETS
SLOTS: Final = 100_000
"""Connections that have states; memory that is not used costs nothing."""
_SIZE: Final = _STATES_AT + octets_of(SLOTS)


class Unwritten(NamedTuple):
    """What a predecessor has left: see `counts_of`. `ring`: where its output is."""

    serial: bytes
    counted: int
    end: int
    ring: int


def make_table() -> int:
    """Return the descriptor of a new, empty table. OSError."""
    fd = os.memfd_create("switchboard-streams", os.MFD_CLOEXEC)
    os.ftruncate(fd, _SIZE)
    return fd


class StreamTable:
    """The table of one edge-stream, and its alone. Places in the output of a connection count octets from 0."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, _SIZE)
        self.states = StreamStates(self._memory, _STATES_AT, SLOTS)
        """What the channels need."""
        self.generation: int = _NUMBER.unpack_from(self._memory)[0]
        """How many processes have used it before."""
        _NUMBER.pack_into(self._memory, 0, self.generation + 1)
        ends = [self._read(ring)[2] for ring in range(RINGS)]
        self.free_rings = [ring for ring in reversed(range(RINGS)) if not ends[ring]]

    @property
    def used(self) -> int:
        """How many rings are taken."""
        return RINGS - len(self.free_rings)

    def unwritten(self) -> list[Unwritten]:
        """Return what was left of the connections, by the predecessor."""
        heads = [(ring, self._read(ring)) for ring in range(RINGS)]
        return [Unwritten(serial, counted, end, ring) for ring, (serial, counted, end) in heads if end]

    def take(self, serial: bytes, counted: int, start: int, octets: bytes) -> int | None:
        """Keep output that begins at `start` in a ring, which is returned; None: there is none.

        `counted`: the kernel's count at place 0.
        """
        if not self.free_rings or len(octets) > RING_OCTETS:
            return None
        ring = self.free_rings.pop()
        self._write(ring, start, octets)
        HEAD.pack_into(self._memory, self._head_at(ring), serial, counted, 0)
        self._set_end(ring, start + len(octets))
        return ring

    def extend(self, ring: int, start: int, end: int, octets: bytes) -> bool:
        """Add octets at `end` to a ring in which what stands before `start` has left; False: it is full."""
        if end + len(octets) - start > RING_OCTETS:
            return False
        self._write(ring, end, octets)
        self._set_end(ring, end + len(octets))
        return True

    def read(self, ring: int, start: int, end: int) -> bytes:
        """Return the output from `start` to `end`."""
        at, size = start % RING_OCTETS, end - start
        base = OCTETS_AT + ring * RING_OCTETS
        first = self._memory[base + at : base + min(at + size, RING_OCTETS)]
        return first + self._memory[base : base + size - len(first)]

    def free(self, ring: int) -> None:
        """All of it has left, or never will."""
        self._set_end(ring, 0)
        self.free_rings.append(ring)

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()

    def _head_at(self, ring: int) -> int:
        return HEADS_AT + ring * HEAD.size

    def _read(self, ring: int) -> tuple[bytes, int, int]:
        serial, counted, end = HEAD.unpack_from(self._memory, self._head_at(ring))
        return serial, counted, end

    def _set_end(self, ring: int, end: int) -> None:
        _NUMBER.pack_into(self._memory, self._head_at(ring) + _END_AT, end)

    def _write(self, ring: int, place: int, octets: bytes) -> None:
        at, base = place % RING_OCTETS, OCTETS_AT + ring * RING_OCTETS
        room = RING_OCTETS - at
        self._memory[base + at : base + at + len(octets[:room])] = octets[:room]
        if len(octets) > room:
            self._memory[base : base + len(octets) - room] = octets[room:]
