"""The connections of one edge-stream: read, written, made and ended (RFC 3261 §18).

Theory. A process that is killed loses nothing. What came stays in the kernel: it is only looked at (MSG_PEEK), and is
consumed when those who got the messages say that they have them (`acknowledge`). So a successor reads it again. What
goes out is in the shared table before it is in the socket (`stream_table.py`). The descriptors are kept by the parent
(`keeping.py`).

All descriptors are in one epoll instance, edge-triggered, since input that waits for its acknowledgement would wake us
for ever otherwise.
"""

import errno
import re
import secrets
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from switchboard.sip.flow import SERIAL_OCTETS, Flow, connection_of, is_dialled, is_secure
from switchboard.transports.channel import ChannelClosed, ChannelError
from switchboard.transports.channels import Channels
from switchboard.transports.connection import Connection, Due, Place, StreamLimits
from switchboard.transports.framing import HEAD_END
from switchboard.transports.keeper_link import KeeperLink
from switchboard.transports.keeping import Given
from switchboard.transports.stream_states import consumed_count
from switchboard.transports.stream_table import StreamTable, Unwritten, kernel_count
from switchboard.transports.tcp_sockets import dial, set_up

EVENTS_A_ROUND: Final = 256
READ_OCTETS: Final = 1 << 16
MOST_WAITING: Final = 1 << 18
"""Octets of one connection that wait for their acknowledgement; what comes then stays in the kernel unread."""
WRITE_OCTETS: Final = 1 << 16
BACKLOG: Final = 64
"""Messages that wait for a connection that is being made."""
MOST_DIALLED: Final = 500
"""Connections that are being made at a time."""
SWEEP_S: Final = 1.0
IDLE_SWEEP_S: Final = 10.0
RECENT: Final = 8
RECENT_S: Final = 32.0
"""Requests that are reported if their connection ends so soon after them."""
HEAD_OCTETS: Final = 1024
"""Of a request that could not be sent: our Via is in it."""
_DISCARDED_AT_ONCE = 1 << 16
_MOST_DISCARDED = 1 << 20
TOO_SLOW: Final = "The rest did not come in time."
_HOST = rb"(?:[^@>;?\r\n ]*@)?(?:\[([^\]\r\n]+)\]|([^>;:?\r\n ]+))"
_ROUTE = re.compile(rb"\nRoute[ \t]*:[^\n]*?<sips?:" + _HOST, re.IGNORECASE)
_REQUEST_URI = re.compile(rb"[A-Z]+ sips?:" + _HOST, re.IGNORECASE)
_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Streams:
    """The connections of edge-stream `instance`.

    `channels` makes what stands between octets and messages. `take(connection, messages, now)` hands messages on, and
    returns when they are taken. `failed(flow, head)` hears of requests that could not be sent. `ended(connection)` of
    each connection that was no stranger's. `refuse(connection, head, status, reason)` may answer a request that
    broke the rules.
    """

    def __init__(
        self,
        instance: int,
        link: KeeperLink,
        channels: Channels,
        take: Callable[[Connection, list[bytes], float], Sequence[Due]],
        failed: Callable[[Flow, bytes], None],
        ended: Callable[[Connection], None],
        refuse: Callable[[Connection, ChannelError], None],
        limits: StreamLimits,
    ) -> None:
        self.sent = self.received = self.failed = 0
        self.causes: Counter[str] = Counter()
        """Why connections ended."""
        self._instance, self._link, self._limits = instance, link, limits
        self._channels, self._take, self._tell_failed = channels, take, failed
        self._tell_ended, self._refuse = ended, refuse
        self._table = StreamTable(link.table)
        self._states = self._table.states
        self._unwritten: dict[bytes, Unwritten] = {each.serial: each for each in self._table.unwritten()}
        self._epoll = select.epoll()
        self._by_serial: dict[bytes, Connection] = {}
        self._by_fd: dict[int, Connection] = {}
        self._by_place: dict[Place, Connection] = {}
        self._waiting: dict[Connection, None] = {}
        self._stalled: dict[Connection, None] = {}
        self._midway: dict[Connection, None] = {}
        self._dialled: dict[Connection, None] = {}
        now = time.monotonic()
        self._next_sweep, self._next_idle_sweep = now + SWEEP_S, now + IDLE_SWEEP_S

    @property
    def generation(self) -> int:
        """How many processes have had these connections before."""
        return self._table.generation

    @property
    def fd(self) -> int:
        """Readable when `serve` has something to do."""
        return self._epoll.fileno()

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self._by_serial)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._by_serial.values())

    def adopt(self, given: Given, fd: int) -> None:
        """Take a connection that the keeper gives us."""
        serial, transport, since_at, is_stranger, was_given, source = given
        sock = socket.socket(fileno=fd)
        try:
            set_up(sock)
            local, peer = sock.getsockname()[0], sock.getpeername()
            counted, consumed = kernel_count(sock), consumed_count(sock)
        except OSError:  # it has ended before we saw it
            self._forget_unwritten(serial)
            self._drop(sock, serial, "ended early")
            return
        slot = self._states.find(serial)
        if not was_given or not (slot is not None or counted or consumed):
            channel = self._channels.accept(transport)
        else:
            reading, writing = self._states_of(slot, serial, counted, consumed)
            channel = self._channels.restore(transport, reading, writing, is_new=not consumed)
        flow = Flow(transport, local, source, peer[1], connection_of(self._instance, serial))
        if channel is None:
            self._forget_unwritten(serial)
            if slot is not None:
                self._states.free(slot)
            self._drop(sock, serial, "not resumed")
            return
        connection = Connection(serial, sock, flow, channel, since_at)
        connection.is_stranger, connection.base = is_stranger, counted
        connection.given, connection.slot = consumed, slot
        self._enter(connection)
        self._go_on(connection, counted)

    def forget_rest(self) -> None:
        """The keeper has given all that were there: what is left in the table is of connections that ended."""
        for each in self._unwritten.values():
            self._table.free(each.ring)
        self._unwritten.clear()
        self._states.forget_rest()

    def serve(self, now: float) -> None:
        """Read and write where that is possible now."""
        for fd, events in self._epoll.poll(0, EVENTS_A_ROUND):
            connection = self._by_fd.get(fd)
            if connection is None:
                continue
            if connection.backlog is not None:
                self._end_dialling(connection, now)
                continue
            if events & select.EPOLLOUT and connection.ring is not None:
                self._push(connection, now)
            if events & _ENDED:
                connection.has_ended = True
            if events & (select.EPOLLIN | _ENDED) and connection.serial in self._by_serial:
                self._read(connection, now)

    def acknowledge(self, now: float) -> None:
        """Consume input whose messages have been taken."""
        for connection in list(self._waiting):
            due = connection.due
            place, reading = 0, b""
            while due and all(reached() >= wanted for reached, wanted in due[0][1]):
                place, _, reading = due.popleft()
            if not due:
                connection.due = None
                del self._waiting[connection]
            if place and not self._consume(connection, place, reading):
                continue
            if connection.has_ended or connection.fed >= MOST_WAITING - READ_OCTETS:
                self._read(connection, now)

    def find(self, flow: Flow, message: bytes) -> Connection | None:
        """Return the connection of a flow; None if it is gone, or none was ever made.

        If the flow names none: the one that we have made to whom `message` is for.
        """
        if flow.connection:
            return self._by_serial.get(flow.connection[1:]) if flow.connection[0] == self._instance else None
        return self._by_place.get(_place_of(flow, message))

    def send(self, message: bytes, flow: Flow, now: float) -> bool:
        """Send a message along a flow; to a new connection, if the flow names none. False: that is impossible."""
        connection = self.find(flow, message)
        if connection is None and not flow.connection:
            connection = self._dial(flow, message, now)
        if connection is None:
            self.failed += 1
            return False
        self.write(connection, message, now)
        return True

    def write(self, connection: Connection, message: bytes, now: float) -> None:
        """Send a message on a connection."""
        if connection.backlog is not None:
            if len(connection.backlog) < BACKLOG:
                connection.backlog.append(message)
            else:
                self.failed += 1
                self._fail(connection.flow, message)
            return
        self.sent += 1
        if not message.startswith((b"SIP/", b"ACK ")):
            self._note_request(connection, message, now)
        self._write(connection, connection.channel.wrap(message), now)

    def know(self, connection: Connection, user: str = "") -> None:
        """It is no stranger's."""
        if user:
            connection.user = user
        if connection.is_stranger:
            connection.is_stranger = False
            self._link.tell_known(connection.serial)

    def next_deadline(self) -> float:
        """When `handle_timer` is due (monotonic s)."""
        pressing = self._stalled or self._midway or self._dialled
        return self._next_sweep if pressing else self._next_idle_sweep

    def handle_timer(self, now: float) -> None:
        """End connections whose time is over."""
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_S
            self._sweep(now)
        if now >= self._next_idle_sweep:
            self._next_idle_sweep = now + IDLE_SWEEP_S
            self._sweep_idle(now)

    def end(self, connection: Connection, cause: str) -> None:
        """End a connection: the rest of its input is discarded, so that the kernel tells the peer the end in order."""
        self._leave(connection)
        self.causes[cause] += 1
        _discard(connection.sock)
        self._drop(connection.sock, connection.serial, "")
        if connection.ring is not None:
            self._table.free(connection.ring)
        if connection.slot is not None:
            self._states.free(connection.slot)
        for at, head in connection.recent or ():
            if time.monotonic() - at < RECENT_S:
                self._tell_failed(connection.flow, head)
        if not connection.is_stranger:
            self._tell_ended(connection)

    def stats(self) -> dict[str, float]:
        """Connections now, of strangers, and with output that waits; messages; why connections ended."""
        return {
            "connections": self.count,
            "connections.strangers": sum(each.is_stranger for each in self),
            "connections.stalled": len(self._stalled),
            "rings": self._table.used,
            "messages.in": self.received,
            "messages.out": self.sent,
            "messages.failed": self.failed,
            **{f"ended.{cause.replace(' ', '_')}": count for cause, count in self.causes.items()},
        }

    def close(self) -> None:
        """Let go of all; they go on in the successor."""
        for connection in self:
            connection.sock.close()
        self._epoll.close()
        self._table.close()

    def _enter(self, connection: Connection) -> None:
        self._by_serial[connection.serial] = connection
        self._by_fd[connection.sock.fileno()] = connection
        self._epoll.register(connection.sock, _EVENTS)

    def _leave(self, connection: Connection) -> None:
        del self._by_serial[connection.serial]
        fd = connection.sock.fileno()
        del self._by_fd[fd]
        self._epoll.unregister(fd)  # the parent's duplicate would keep it registered
        if connection.place and self._by_place.get(connection.place) is connection:
            del self._by_place[connection.place]
        for group in (self._waiting, self._stalled, self._midway, self._dialled):
            group.pop(connection, None)

    def _states_of(self, slot: int | None, serial: bytes, counted: int, consumed: int) -> tuple[bytes, bytes]:
        """What the channel of a predecessor has said of itself, as it is right now; b"" if nothing is."""
        if slot is None:
            return b"", b""
        left = self._unwritten.get(serial)
        written = counted if left is None else left.counted + left.end
        return self._states.reading(slot, consumed), self._states.writing(slot, written)

    def _drop(self, sock: socket.socket, serial: bytes, cause: str) -> None:
        if cause:
            self.causes[cause] += 1
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        self._link.tell_ended(serial)

    def _forget_unwritten(self, serial: bytes) -> None:
        left = self._unwritten.pop(serial, None)
        if left is not None:
            self._table.free(left.ring)

    def _go_on(self, connection: Connection, counted: int) -> None:
        """Write what a predecessor had not."""
        left = self._unwritten.pop(connection.serial, None)
        if left is not None:
            connection.base, connection.ring, connection.end = left.counted, left.ring, left.end
            connection.written = counted - left.counted
            self._push(connection, time.monotonic())

    def _read(self, connection: Connection, now: float) -> None:
        while connection.fed < MOST_WAITING:
            wanted = connection.fed + READ_OCTETS
            try:
                octets = connection.sock.recv(wanted, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                self.end(connection, "reset")
                return
            if not octets:
                self.end(connection, "ended by peer")
                return
            new = octets[connection.fed :]
            if not new and (not connection.has_ended or connection.due):
                return
            if not new:  # the peer has ended in the middle of a message
                self._consume(connection, connection.consumed + connection.fed)
                continue
            connection.fed, connection.heard_at = len(octets), now
            self._feed(connection, new, now)
            if connection.serial not in self._by_serial or (
                len(octets) < wanted and not connection.has_ended
            ):
                return

    def _feed(self, connection: Connection, octets: bytes, now: float) -> None:
        error: ChannelError | None = None
        channel = connection.channel
        try:
            messages = channel.feed(octets)
        except ChannelError as found:
            error, messages = found, found.messages
        due: Sequence[Due] = ()
        if messages:
            connection.received += len(messages)
            self.received += len(messages)
            due = self._take(connection, messages, now)
        if connection.serial not in self._by_serial:
            return
        if said := channel.take_output():
            self._write(connection, said, now)
        else:
            self._note_writing(connection, connection.output_end)
        if error is not None:
            self._end_wrong(connection, error, now)
        elif connection.serial in self._by_serial:
            self._pass(connection, due)
            self._note_midway(connection, now, begins=bool(messages))

    def _end_wrong(self, connection: Connection, error: ChannelError, now: float) -> None:
        if connection.serial not in self._by_serial:
            return
        if isinstance(error, ChannelClosed):
            cause = "ended by peer"
        else:
            cause = "bad input"
            self._refuse(connection, error)
        if error.close_with and connection.serial in self._by_serial:
            self._write(connection, error.close_with, now)
        if connection.serial in self._by_serial:
            self.end(connection, cause)

    def _pass(self, connection: Connection, due: Sequence[Due]) -> None:
        """The channel needs nothing before its pending octets any more."""
        place = connection.consumed + connection.fed - len(connection.channel.pending)
        if place <= connection.passed:
            return
        connection.passed = place
        reading = connection.channel.reading
        if not due and not connection.due:
            self._consume(connection, place, reading)
            return
        if connection.due is None:
            connection.due = deque()
            self._waiting[connection] = None
        connection.due.append((place, due, reading))

    def _consume(self, connection: Connection, place: int, reading: bytes = b"") -> bool:
        """Take input up to `place` from the kernel. False: the connection has ended.

        `reading`: what a successor needs then.
        """
        if reading and connection.slot is not None:
            self._states.note_reading(connection.slot, connection.given + place, reading)
        left = place - connection.consumed
        try:
            while left > 0:
                size = len(connection.sock.recv(min(left, _DISCARDED_AT_ONCE)))
                if not size:
                    break
                left -= size
        except OSError:
            self.end(connection, "reset")
            return False
        taken = place - left - connection.consumed
        connection.consumed += taken
        connection.fed -= taken
        return True

    def _note_midway(self, connection: Connection, now: float, begins: bool) -> None:
        if not connection.channel.is_midway:
            connection.midway_since = 0.0
            self._midway.pop(connection, None)
        elif begins or not connection.midway_since:
            connection.midway_since = now
            self._midway[connection] = None

    def _note_writing(self, connection: Connection, place: int) -> None:
        """What a successor needs once the output goes up to `place`."""
        state = connection.channel.writing
        if not state or state == connection.noted:
            return
        if connection.slot is None:
            connection.slot = self._states.take(connection.serial)
        if connection.slot is not None:
            self._states.note_writing(connection.slot, connection.base + place, state)
        connection.noted = state

    def _write(self, connection: Connection, octets: bytes, now: float) -> None:
        self._note_writing(
            connection, (connection.written if connection.ring is None else connection.end) + len(octets)
        )
        if connection.ring is None:
            self._begin_to_write(connection, octets, now)
        elif not self._table.extend(connection.ring, connection.written, connection.end, octets):
            self.end(connection, "does not read")
        else:
            connection.end += len(octets)

    def _begin_to_write(self, connection: Connection, octets: bytes, now: float) -> None:
        place = connection.written
        ring = self._table.take(connection.serial, connection.base, place, octets)
        while ring is None and self._stalled:
            self.end(next(iter(self._stalled)), "does not read")
            ring = self._table.take(connection.serial, connection.base, place, octets)
        if ring is None:
            self.end(connection, "does not read")
            return
        connection.ring, connection.end = ring, place + len(octets)
        self._push(connection, now, octets)

    def _push(self, connection: Connection, now: float, octets: bytes = b"") -> None:
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
            if connection not in self._stalled:
                connection.stalled_since = now
                self._stalled[connection] = None
            return
        except OSError as error:
            self.end(connection, "reset" if error.errno != errno.EPIPE else "ended by peer")
            return
        self._table.free(connection.ring)
        connection.ring = None
        self._stalled.pop(connection, None)

    def _note_request(self, connection: Connection, message: bytes, now: float) -> None:
        recent = [each for each in connection.recent or () if now - each[0] < RECENT_S]
        connection.recent = [*recent[1 - RECENT :], (now, message[:HEAD_OCTETS])]

    def _dial(self, flow: Flow, message: bytes, now: float) -> Connection | None:
        if not is_dialled(flow.transport) or len(self._dialled) >= MOST_DIALLED:
            return None
        channel = self._channels.connect(flow.transport, peer_names(message, flow.host))
        try:
            sock = dial(flow.local, flow.host, flow.port)
        except (OSError, ValueError):
            return None
        if channel is None:
            sock.close()
            return None
        place = _place_of(flow, message)
        serial = secrets.token_bytes(SERIAL_OCTETS)
        flow = flow._replace(connection=connection_of(self._instance, serial))
        connection = Connection(serial, sock, flow, channel, time.time())
        connection.is_stranger, connection.backlog = False, []
        connection.place = place
        self._by_place[place] = connection
        self._dialled[connection] = None
        connection.stalled_since = now
        self._enter(connection)
        return connection

    def _end_dialling(self, connection: Connection, now: float) -> None:
        """It is made, or it never will be."""
        sock = connection.sock
        try:
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, "not connected")
            sock.getpeername()
            local = sock.getsockname()[0]
            connection.base, connection.given = kernel_count(sock), consumed_count(sock)
            since_at = connection.since_at
            self._link.tell_made(
                connection.serial, connection.transport, connection.flow.host, since_at, sock.fileno()
            )
        except OSError:
            self._give_up(connection, "not made")
            return
        del self._dialled[connection]
        connection.flow = connection.flow._replace(local=local)
        backlog, connection.backlog = connection.backlog, None
        for message in backlog or ():
            if connection.serial not in self._by_serial:
                self._fail(connection.flow, message)
            else:
                self.write(connection, message, now)

    def _give_up(self, connection: Connection, cause: str) -> None:
        backlog, connection.backlog = connection.backlog or [], []
        connection.is_stranger = True  # nobody knows it
        flow = connection.flow._replace(connection=b"")
        self.end(connection, cause)
        self.failed += len(backlog)
        for message in backlog:
            self._fail(flow, message)

    def _fail(self, flow: Flow, message: bytes) -> None:
        if not message.startswith(b"SIP/"):
            self._tell_failed(flow, message[:HEAD_OCTETS])

    def _sweep(self, now: float) -> None:
        for connection in list(self._dialled):
            if now - connection.stalled_since > self._limits.dial_s:
                self._give_up(connection, "not made")
        for connection in list(self._stalled):
            if now - connection.stalled_since > self._limits.stalled_s:
                self.end(connection, "does not read")
        for connection in list(self._midway):
            if now - connection.midway_since > self._limits.half_s:
                self._end_midway(connection, now)

    def _end_midway(self, connection: Connection, now: float) -> None:
        if farewell := connection.channel.farewell(TOO_SLOW):
            self._write(connection, farewell, now)
        if connection.serial in self._by_serial:
            self.end(connection, "half a message")

    def _sweep_idle(self, now: float) -> None:
        limits = self._limits
        for connection in list(self):
            silent_s = now - connection.heard_at
            if connection.recent and now - connection.recent[-1][0] > RECENT_S:
                connection.recent = None
            if not connection.is_stranger:
                if silent_s > limits.known_s:
                    self.end(connection, "idle")
            elif silent_s > (limits.stranger_s if connection.received else limits.silent_s):
                self.end(connection, "idle stranger")


def peer_names(message: bytes, host: str) -> list[str]:
    """Return whom a request or response wants to reach at the address `host`: by its top Route or Request-URI, too.

    That is the name that was looked up (RFC 5922 §7.3).
    """
    found = _ROUTE.search(message.partition(HEAD_END)[0]) or _REQUEST_URI.match(message)
    named = [(found[1] or found[2]).decode("ascii", "replace").lower()] if found else []
    return list(dict.fromkeys([*named, host]))


def _place_of(flow: Flow, message: bytes) -> Place:
    """Whom a connection is for: in TLS who has proved to be somebody has not proved to be others at that address."""
    name = peer_names(message, flow.host)[0] if is_secure(flow.transport) else ""
    return flow.transport, flow.host, flow.port, name


def _discard(sock: socket.socket) -> None:
    with suppress(OSError):
        for _ in range(_MOST_DISCARDED // _DISCARDED_AT_ONCE):
            if not sock.recv(_DISCARDED_AT_ONCE):
                return
