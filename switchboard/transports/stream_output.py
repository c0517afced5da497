"""What goes out over the connections of an edge-stream: into the shared table first, then into the socket.

Theory. All output of a connection is in a ring of the table (`stream_table.py`) until the kernel has accepted it, so
that a successor can write the rest. A peer that does not read fills the kernel's buffer, then its ring; then its
connection ends. So does that of the peer which has not read for the longest time, if there is no ring for another one.
"""

import errno
import time
from collections.abc import Callable
from typing import Final

from switchboard.transports.connection import Connection
from switchboard.transports.stream_table import StreamTable, Unwritten
from switchboard.transports.tcp_counts import Counts

WRITE_OCTETS: Final = 1 << 16
UNREAD: Final = "does not read"


class StreamOutput:
    """Writes to connections. `end(connection, cause)` is called where that is impossible.

    `stalled`: connections whose kernel accepts no more now.
    """

    def __init__(self, table: StreamTable, end: Callable[[Connection, str], None]) -> None:
        self.stalled: dict[Connection, None] = {}
        self._table, self._states, self._end = table, table.states, end
        self.begin: Callable[[Connection, bytes, float], object] = self.begin_in_python
        """How to write on a connection for which nothing waits; the compiled twin has a faster way."""
        self._unwritten: dict[bytes, Unwritten] = {each.serial: each for each in table.unwritten()}

    def has_left(self, serial: bytes) -> bool:
        """Whether a predecessor had something to write."""
        return serial in self._unwritten

    def states_of(self, slot: int | None, serial: bytes, counts: Counts) -> tuple[bytes, bytes]:
        """What the channel of a predecessor has said of itself, as it is right now; b"" if nothing is."""
        if slot is None:
            return b"", b""
        left = self._unwritten.get(serial)
        written = counts.accepted if left is None else left.counted + left.end
        return self._states.reading(slot, counts.consumed), self._states.writing(slot, written)

    def go_on(self, connection: Connection, counted: int) -> None:
        """Write what a predecessor had not."""
        left = self._unwritten.pop(connection.serial, None)
        if left is not None:
            connection.base, connection.ring, connection.end = left.counted, left.ring, left.end
            connection.written = counted - left.counted
            self.push(connection, time.monotonic())

    def forget(self, serial: bytes) -> None:
        """A predecessor's connection is gone: nobody will write the rest."""
        left = self._unwritten.pop(serial, None)
        if left is not None:
            self._table.free(left.ring)

    def forget_rest(self) -> None:
        """The same for all connections that were not gone on with."""
        for serial in list(self._unwritten):
            self.forget(serial)

    def write(self, connection: Connection, octets: bytes, now: float) -> None:
        """Write as much as the kernel takes now; the rest when it takes more."""
        self.note(
            connection, (connection.written if connection.ring is None else connection.end) + len(octets)
        )
        if connection.ring is None:
            self.begin(connection, octets, now)
        elif not self._table.extend(connection.ring, connection.written, connection.end, octets):
            self._end(connection, UNREAD)
        else:
            connection.end += len(octets)

    def note(self, connection: Connection, place: int) -> None:
        """What a successor needs once the output goes up to `place`."""
        state = connection.channel.writing
        if not state or state == connection.noted:
            return
        if connection.slot is None:
            connection.slot = self._states.take(connection.serial)
        if connection.slot is not None:
            self._states.note_writing(connection.slot, connection.base + place, state)
        connection.noted = state

    def push(self, connection: Connection, now: float, octets: bytes = b"") -> None:
        """Write what the kernel takes. `octets`: all of it, if it is at hand."""
        assert connection.ring is not None
        try:
            while (place := connection.written) < connection.end:
                octets = octets or self._table.read(
                    connection.ring, place, min(connection.end, place + WRITE_OCTETS)
                )
                connection.written += connection.sock.send(octets)
                octets = b""
                connection.stalled_since = now
        except BlockingIOError:
            if connection not in self.stalled:
                connection.stalled_since = now
                self.stalled[connection] = None
            return
        except OSError as error:
            self._end(connection, "reset" if error.errno != errno.EPIPE else "ended by peer")
            return
        self._table.free(connection.ring)
        connection.ring = None
        self.stalled.pop(connection, None)

    def release(self, connection: Connection) -> None:
        """A connection has ended: give back what it had of the table."""
        self.stalled.pop(connection, None)
        if connection.ring is not None:
            self._table.free(connection.ring)
        if connection.slot is not None:
            self._states.free(connection.slot)

    def sweep(self, now: float, stalled_s: float) -> None:
        """End the connections whose peers have not read for so long."""
        for connection in list(self.stalled):
            if now - connection.stalled_since > stalled_s:
                self._end(connection, UNREAD)

    def begin_in_python(self, connection: Connection, octets: bytes, now: float) -> None:
        """Take a ring, in which the octets are as long as the kernel has not accepted them."""
        place = connection.written
        ring = self._table.take(connection.serial, connection.base, place, octets)
        while ring is None and self.stalled:
            self._end(next(iter(self.stalled)), UNREAD)
            ring = self._table.take(connection.serial, connection.base, place, octets)
        if ring is None:
            self._end(connection, UNREAD)
            return
        connection.ring, connection.end = ring, place + len(octets)
        self.push(connection, now, octets)
