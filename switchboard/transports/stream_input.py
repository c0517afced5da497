"""What comes in over the connections of an edge-stream: from the kernel's buffer to messages that somebody has taken.

Theory. Octets are looked at (MSG_PEEK) and fed to the connection's channel, which finds messages. They stay in the
kernel until the receivers of these messages say that they have them (`acknowledge`); then they are consumed. So a
successor reads again what may not have arrived, and a message may arrive twice, but is never lost.
"""

import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from switchboard.transports.channel import ChannelClosed, ChannelError, beginning
from switchboard.transports.connection import Connection, Due
from switchboard.transports.stream_output import StreamOutput
from switchboard.transports.stream_states import StreamStates

READ_OCTETS: Final = 1 << 16
MOST_WAITING: Final = 1 << 18
"""Octets of one connection that wait for their acknowledgement; what comes then stays in the kernel unread."""
TOO_SLOW: Final = "The rest did not come in time."
_DISCARDED_AT_ONCE: Final = 1 << 16


class Owner(Protocol):
    """Who has the connections."""

    def __contains__(self, connection: Connection) -> bool: ...
    def end(self, connection: Connection, cause: str) -> None: ...
    def keep(self, connection: Connection) -> None: ...


class StreamInput:
    """Reads connections. What their channels answer goes to `output`, what a successor needs to `states`.

    `take(connection, messages, now)` hands messages on, and returns when they are taken. `refuse(connection, error)`
    may answer a request that broke the rules. `received` counts messages.
    """

    def __init__(
        self,
        owner: Owner,
        output: StreamOutput,
        states: StreamStates,
        take: Callable[[Connection, list[bytes], float], Sequence[Due]],
        refuse: Callable[[Connection, ChannelError], None],
    ) -> None:
        self.received = 0
        self.waiting: dict[Connection, None] = {}
        self.midway: dict[Connection, None] = {}
        self._owner, self._output, self._states = owner, output, states
        self._take, self._refuse = take, refuse

    def read(self, connection: Connection, now: float) -> None:
        """Feed the channel with what has come, and hand the messages on."""
        while connection.fed < MOST_WAITING:
            wanted = connection.fed + READ_OCTETS
            try:
                octets = connection.sock.recv(wanted, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                self._owner.end(connection, "reset")
                return
            if not octets:
                self._owner.end(connection, "ended by peer")
                return
            new = octets[connection.fed :]
            if not new and (not connection.has_ended or connection.due):
                return
            if not new:  # the peer has ended in the middle of a message
                self.consume(connection, connection.consumed + connection.fed)
                continue
            connection.fed, connection.heard_at = len(octets), now
            self._feed(connection, new, now)
            if connection not in self._owner or (len(octets) < wanted and not connection.has_ended):
                return

    def acknowledge(self, now: float) -> None:
        """Consume input whose messages have been taken by their receivers."""
        for connection in list(self.waiting):
            due = connection.due
            place, reading = 0, b""
            while due and all(reached() >= wanted for reached, wanted in due[0][1]):
                place, _, reading = due.popleft()
            if not due:
                connection.due = None
                del self.waiting[connection]
            if place and not self.consume(connection, place, reading):
                continue
            if connection.has_ended or connection.fed >= MOST_WAITING - READ_OCTETS:
                self.read(connection, now)

    def consume(self, connection: Connection, place: int, reading: bytes = b"") -> bool:
        """Take input up to `place` from the kernel. False: the connection has ended.

        `reading`: what a successor needs then.
        """
        if reading and connection.slot is not None:
            self._states.note_reading(connection.slot, connection.given + place, reading)
        left = place - connection.consumed
        try:
            while left > 0:
                size = len(connection.sock.recv(min(left, _DISCARDED_AT_ONCE), socket.MSG_TRUNC))
                if not size:
                    break
                left -= size
        except OSError:
            self._owner.end(connection, "reset")
            return False
        taken = place - left - connection.consumed
        connection.consumed += taken
        connection.fed -= taken
        return True

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        self.waiting.pop(connection, None)
        self.midway.pop(connection, None)

    def sweep(self, now: float, half_s: float) -> None:
        """End connections that have been in the middle of a message for so long."""
        for connection in list(self.midway):
            if now - connection.midway_since > half_s:
                self._end_midway(connection, now)

    def _feed(self, connection: Connection, octets: bytes, now: float) -> None:
        begins = beginning(connection.channel)
        if begins is None:
            self._feed_to(connection.channel.feed, connection, octets, now)
            return
        self._feed_to(begins.begin, connection, octets, now)
        if begins.pending and connection in self._owner and not begins.is_shaking_hands:
            self._feed_to(begins.feed, connection, b"", now)  # the handshake is done with by now

    def _feed_to(
        self, feed: Callable[[bytes], list[bytes]], connection: Connection, octets: bytes, now: float
    ) -> None:
        error: ChannelError | None = None
        channel = connection.channel
        try:
            messages = feed(octets)
        except ChannelError as found:
            error, messages = found, found.messages
        due: Sequence[Due] = ()
        if messages:
            self._owner.keep(connection)
            connection.received += len(messages)
            self.received += len(messages)
            due = self._take(connection, messages, now)
        if connection not in self._owner:
            return
        if said := channel.take_output():
            if beginning(channel) is None:
                self._owner.keep(connection)
            self._output.write(connection, said, now)
        else:
            self._output.note(connection, connection.output_end)
        if error is not None:
            self._end_wrong(connection, error, now)
        elif connection in self._owner:
            self._pass(connection, due)
            self._note_midway(connection, now, begins=bool(messages))

    def _end_wrong(self, connection: Connection, error: ChannelError, now: float) -> None:
        if connection not in self._owner:
            return
        if isinstance(error, ChannelClosed):
            cause = "ended by peer"
        else:
            cause = "bad input"
            self._refuse(connection, error)
        if error.close_with and connection in self._owner:
            self._output.write(connection, error.close_with, now)
        if connection in self._owner:
            self._owner.end(connection, cause)

    def _pass(self, connection: Connection, due: Sequence[Due]) -> None:
        """The channel needs nothing before its pending octets any more."""
        place = connection.consumed + connection.fed - len(connection.channel.pending)
        if place <= connection.passed:
            return
        connection.passed = place
        reading = connection.channel.reading
        if not due and not connection.due:
            self.consume(connection, place, reading)
            return
        if connection.due is None:
            connection.due = deque()
            self.waiting[connection] = None
        connection.due.append((place, due, reading))

    def _note_midway(self, connection: Connection, now: float, begins: bool) -> None:
        if not connection.channel.is_midway:
            connection.midway_since = 0.0
            self.midway.pop(connection, None)
        elif begins or not connection.midway_since:
            connection.midway_since = now
            self.midway[connection] = None

    def _end_midway(self, connection: Connection, now: float) -> None:
        if farewell := connection.channel.farewell(TOO_SLOW):
            self._output.write(connection, farewell, now)
        if connection in self._owner:
            self._owner.end(connection, "half a message")
