"""The connections of one edge-stream: read, written, made and ended (RFC 3261 §18).

Theory. A process that is killed loses nothing. What came stays in the kernel: it is only looked at (MSG_PEEK), and is
consumed when those who got the messages say that they have them (`acknowledge`). So a successor reads it again. What
goes out is in the shared table before it is in the socket (`stream_table.py`). The descriptors are kept by the parent
(`keeping.py`).

All descriptors are in one epoll instance, edge-triggered, since input that waits for its acknowledgement would wake us
for ever otherwise.
"""

import secrets
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from switchboard.sip.advertised import seen_address
from switchboard.sip.flow import SERIAL_OCTETS, Flow, connection_of, is_secure
from switchboard.transports.channel import ChannelError, beginning
from switchboard.transports.channels import Channels
from switchboard.transports.connection import Connection, Due, StreamLimits
from switchboard.transports.dialling import Dialling
from switchboard.transports.keeper_link import KeeperLink
from switchboard.transports.keeper_words import Given
from switchboard.transports.resting import Rested, Resting
from switchboard.transports.shares import Shares
from switchboard.transports.stream_input import StreamInput
from switchboard.transports.stream_output import StreamOutput
from switchboard.transports.stream_table import StreamTable
from switchboard.transports.tcp_counts import NOTHING, counts_of

EVENTS_A_ROUND: Final = 256
ACCEPTED_A_ROUND: Final = 64
BACKLOG: Final = 64
"""Messages that wait for a connection that is being made."""
MOST_HANDSHAKES, HANDSHAKES_OF_SOURCE = 1000, 250
"""TLS handshakes at a time, of all and of one source. Beyond, the oldest ends."""
SWEEP_S: Final = 1.0
IDLE_SWEEP_S: Final = 10.0
RECENT: Final = 8
RECENT_S: Final = 32.0
"""Requests that are reported if their connection ends so soon after them."""
HEAD_OCTETS: Final = 1024
"""Of a request that could not be sent: our Via is in it."""
_DISCARDED_AT_ONCE = 1 << 16
_MOST_DISCARDED = 1 << 20
_INPUT = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_EVENTS = _INPUT | select.EPOLLOUT
_ACCEPT = select.EPOLLIN
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Parts(NamedTuple):
    """Connections by descriptor and by serial number, how they are read and written, and rings that are free."""

    by_fd: dict[int, Connection]
    by_serial: dict[bytes, Connection]
    input: StreamInput
    output: StreamOutput
    free_rings: list[int]


class Streams:
    """The connections of edge-stream `instance`.

    `channels` makes what stands between octets and messages. `take(connection, messages, now)` hands messages on, and
    returns when they are taken. `failed(flow, head)` hears of requests that could not be sent. `ended(connection)` of
    each connection that was no stranger's. `refuse(connection, error)` may answer a request that
    broke the rules. `advertised`: see `sip/advertised.py`.
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
        advertised: str = "",
    ) -> None:
        self._advertised = advertised
        self.sent = self.failed = 0
        self.causes: Counter[str] = Counter()
        """Why connections ended."""
        self._instance, self._link, self._limits = instance, link, limits
        self._channels, self._tell_failed, self._tell_ended = channels, failed, ended
        self._table = StreamTable(link.table)
        self._states = self._table.states
        self._output = StreamOutput(self._table, self.end)
        self._input = StreamInput(self, self._output, self._states, take, refuse)
        self._dialling = Dialling(instance, link, channels, self, advertised)
        self._epoll = select.epoll()
        self._resting = Resting()
        self._shaking = Shares(MOST_HANDSHAKES, HANDSHAKES_OF_SOURCE, _begins)
        self._by_serial: dict[bytes, Connection] = {}
        self._by_fd: dict[int, Connection] = {}
        now = time.monotonic()
        self._next_sweep, self._next_idle_sweep = now + SWEEP_S, now + IDLE_SWEEP_S
        self._listeners = {each.fileno(): (each, transport) for each, transport in link.listeners}
        self._is_listening = False
        self._listen()

    @property
    def generation(self) -> int:
        """How many processes have had these connections before."""
        return self._table.generation

    @property
    def parts(self) -> Parts:
        """What the compiled twin shares with this."""
        return Parts(self._by_fd, self._by_serial, self._input, self._output, self._table.free_rings)

    @property
    def fd(self) -> int:
        """Readable when `serve` has something to do."""
        return self._epoll.fileno()

    @property
    def passed(self) -> int:
        """How many messages have come or left."""
        return self._input.received + self.sent

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self._by_serial) + len(self._resting)

    def __iter__(self) -> Iterator[Connection]:
        for fd in self._resting:
            self._wake(fd)
        return iter(self._by_serial.values())

    def __contains__(self, connection: Connection) -> bool:
        return connection.serial in self._by_serial

    def adopt(self, given: Given, fd: int) -> None:
        """Take a connection that the keeper gives us. One that others had rests, if it can, until something happens."""
        serial, transport, _, _, was_given, *_, handed = given
        slot = self._states.find(serial)
        if slot is None and handed:
            slot = self._states.enter(serial, *handed)
        can_rest = was_given and (slot is not None or not is_secure(transport))
        rested = Rested(given, fd, slot, time.monotonic())
        if can_rest and not self._output.has_left(serial):
            self._resting.add(rested)
            self._epoll.register(fd, _INPUT)
        else:
            self._epoll.register(fd, _EVENTS)
            self._begin(rested)

    def _listen(self) -> None:
        self._is_listening = True
        for fd in self._listeners:
            self._epoll.register(fd, _ACCEPT)

    def _accept(self, listener: socket.socket, transport: int) -> bool:
        """Take one that waits. Nobody else has it before it says something, as nobody could go on with it."""
        try:
            sock, (source, port, *_) = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError:  # the system has no descriptor left
            self._is_listening = False
            for fd in self._listeners:
                self._epoll.unregister(fd)
            return False
        sock.setblocking(False)
        channel = self._channels.accept(transport)
        try:
            local = sys.intern(sock.getsockname()[0])
        except OSError:  # it has ended before we saw it
            channel = None
        if channel is None:
            self.causes["not begun"] += 1
            sock.close()
            return True
        local = seen_address(self._advertised, local, source)
        serial = secrets.token_bytes(SERIAL_OCTETS)
        flow = Flow(transport, local, source, port, connection_of(self._instance, serial))
        connection = Connection(serial, sock, flow, channel, time.time())
        self._link.tell_accepted((serial, transport, source, port, connection.since_at), sock.fileno())
        self.enter(connection)
        self._begin_handshake(connection)
        return True

    def _begin_handshake(self, connection: Connection) -> None:
        if _begins(connection) and (oldest := self._shaking.begin(connection, connection.flow.host)):
            self.end(oldest, "too many handshakes")

    def _wake(self, fd: int) -> Connection | None:
        """Something happens on a connection that rests; None if there is none, or it cannot go on."""
        rested = self._resting.take(fd)
        if rested is None:
            return None
        self._epoll.modify(fd, _EVENTS)
        return self._begin(rested)

    def _begin(self, rested: Rested) -> Connection | None:
        serial, transport, since_at, is_stranger, was_given, source, port, user, _ = rested.given
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=rested.fd)
        sock.setblocking(False)
        slot = rested.slot
        try:
            counts = counts_of(sock) if was_given else NOTHING
            local = sys.intern(sock.getsockname()[0])
        except OSError:  # it has ended before we saw it
            self._lose(sock, serial, slot, "ended early")
            return None
        if not was_given or not (slot is not None or any(counts)):
            channel = self._channels.accept(transport)
        else:
            reading, writing = self._output.states_of(slot, serial, counts)
            channel = self._channels.restore(transport, reading, writing, is_new=not counts.consumed)
        if channel is None:
            self._lose(sock, serial, slot, "not resumed")
            return None
        local = seen_address(self._advertised, local, source)
        flow = Flow(transport, local, source, port, connection_of(self._instance, serial))
        connection = Connection(serial, sock, flow, channel, since_at)
        connection.is_stranger, connection.base, connection.given = is_stranger, *counts
        connection.slot, connection.user, connection.heard_at = slot, user, rested.since
        self._enter(connection)
        self._begin_handshake(connection)
        self._output.go_on(connection, counts.accepted)
        return connection if connection in self else None

    def _lose(self, sock: socket.socket, serial: bytes, slot: int | None, cause: str) -> None:
        """One of a predecessor's cannot go on."""
        self._epoll.unregister(sock)
        self._output.forget(serial)
        if slot is not None:
            self._states.free(slot)
        self._drop(sock, serial, cause)

    def enter(self, connection: Connection) -> None:
        """One that we make is there from now on."""
        self._epoll.register(connection.sock, _EVENTS)
        self._enter(connection)

    def _enter(self, connection: Connection) -> None:
        self._by_serial[connection.serial] = connection
        self._by_fd[connection.sock.fileno()] = connection

    def forget_rest(self) -> None:
        """The keeper has given all that were there: what is left in the table is of connections that ended."""
        self._output.forget_rest()
        self._states.forget_rest()

    def serve(self, now: float) -> None:
        """Read and write where that is possible now."""
        for _ in range(ACCEPTED_A_ROUND):
            served = [self.serve_one(fd, events, now) for fd, events in self._epoll.poll(0, EVENTS_A_ROUND)]
            if not any(served):
                return

    def serve_one(self, fd: int, events: int, now: float) -> bool:
        """The same of one descriptor, at which epoll(7) has seen `events`; return whether a connection was accepted."""
        connection = self._by_fd.get(fd) or self._wake(fd)
        if connection is None:
            return fd in self._listeners and self._accept(*self._listeners[fd])
        if connection.backlog is not None:
            self._dialling.settle(connection, now)
            return False
        if events & select.EPOLLOUT and connection.ring is not None:
            self._output.push(connection, now)
        if events & _ENDED:
            connection.has_ended = True
        if events & (select.EPOLLIN | _ENDED) and connection in self:
            self._input.read(connection, now)
        return False

    def keep(self, connection: Connection) -> None:
        """Others are about to hear of it, or its peer hears more than a handshake: the keeper is to have it."""
        self._link.hurry(connection.serial)

    def acknowledge(self, now: float) -> None:
        """Consume input whose messages have been taken."""
        self._input.acknowledge(now)

    def find(self, flow: Flow, message: bytes) -> Connection | None:
        """Return the connection of a flow; None if it is gone, or none was ever made.

        If the flow names none: the one that we have made to whom `message` is for.
        """
        if flow.connection:
            return self._find(flow.connection[1:]) if flow.connection[0] == self._instance else None
        return self._dialling.find(flow, message)

    def _find(self, serial: bytes) -> Connection | None:
        return self._by_serial.get(serial) or self._wake(self._resting.find(serial))

    def send(self, message: bytes, flow: Flow, now: float) -> bool:
        """Send a message along a flow; to a new connection, if the flow names none. False: that is impossible."""
        connection = self.find(flow, message)
        if connection is None and not flow.connection:
            connection = self._dialling.dial(flow, message, now)
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
                self.fail(connection.flow, message)
            return
        self.sent += 1
        if not message.startswith((b"SIP/", b"ACK ")):
            self._note_request(connection, message, now)
        self._output.write(connection, connection.channel.wrap(message), now)

    def fail(self, flow: Flow, message: bytes) -> None:
        """A message could not be sent: count it, and tell of a request."""
        self.failed += 1
        if not message.startswith(b"SIP/"):
            self._tell_failed(flow, message[:HEAD_OCTETS])

    def end_made(self, flow: Flow) -> None:
        """End the connections that we have made to that address, where nobody answers: the next one may fare better."""
        for connection in self._dialling.made_to(flow):
            self.end(connection, "does not answer")

    def know(self, connection: Connection, user: str = "") -> None:
        """It is no stranger's."""
        if user and user != connection.user:
            connection.user = user
            self._link.tell_user(connection.serial, user)
        if connection.is_stranger:
            connection.is_stranger = False
            self._link.tell_known(connection.serial)

    def name(self, serial: bytes, user: str) -> None:
        """Whose a predecessor's connection is, if nobody has registered over it meanwhile."""
        connection = self._by_serial.get(serial)
        if connection is not None and not connection.user:
            connection.user = user

    def next_deadline(self) -> float:
        """When `handle_timer` is due (monotonic s)."""
        pressing = (
            self._output.stalled or self._input.midway or self._dialling.is_pressing or not self._is_listening
        )
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
        self._output.release(connection)
        for at, head in connection.recent or ():
            if time.monotonic() - at < RECENT_S:
                self._tell_failed(connection.flow, head)
        if not connection.is_stranger:
            self._tell_ended(connection)

    def stats(self) -> dict[str, float]:
        """Connections now, of strangers, and with output that waits; messages; why connections ended."""
        return {
            "connections": self.count,
            "connections.strangers": self._resting.strangers
            + sum(each.is_stranger for each in self._by_serial.values()),
            "connections.resting": len(self._resting),
            "connections.stalled": len(self._output.stalled),
            "rings": self._table.used,
            "messages.in": self._input.received,
            "messages.out": self.sent,
            "messages.failed": self.failed,
            **{f"ended.{cause.replace(' ', '_')}": count for cause, count in self.causes.items()},
        }

    def close(self) -> None:
        """Let go of all; they go on in the successor."""
        for connection in self._by_serial.values():
            connection.sock.close()
        self._resting.close()
        self._epoll.close()
        self._table.close()

    def _leave(self, connection: Connection) -> None:
        del self._by_serial[connection.serial]
        fd = connection.sock.fileno()
        del self._by_fd[fd]
        self._epoll.unregister(fd)  # the parent's duplicate would keep it registered
        self._dialling.forget(connection)
        self._shaking.end(connection)
        self._input.forget(connection)

    def _drop(self, sock: socket.socket, serial: bytes, cause: str) -> None:
        if cause:
            self.causes[cause] += 1
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        self._link.tell_ended(serial)

    def _note_request(self, connection: Connection, message: bytes, now: float) -> None:
        recent = connection.recent or []
        connection.recent = [*recent[1 - RECENT :], (now, message[:HEAD_OCTETS])]

    def _sweep(self, now: float) -> None:
        if not self._is_listening:
            self._listen()
        self._dialling.sweep(now, self._limits.dial_s)
        self._output.sweep(now, self._limits.stalled_s)
        self._input.sweep(now, self._limits.half_s)

    def _sweep_idle(self, now: float) -> None:
        limits = self._limits
        for fd in self._resting.silent(limits.is_too_long, now):
            self._wake(fd)
        for connection in list(self._by_serial.values()):
            if connection.recent and now - connection.recent[-1][0] > RECENT_S:
                connection.recent = None
            if limits.is_too_long(
                connection.is_stranger, now - connection.heard_at, bool(connection.received)
            ):
                self.end(connection, "idle stranger" if connection.is_stranger else "idle")


def _begins(connection: Connection) -> bool:
    return beginning(connection.channel) is not None


def _discard(sock: socket.socket) -> None:
    with suppress(OSError):
        for _ in range(_MOST_DISCARDED // _DISCARDED_AT_ONCE):
            if not sock.recv(_DISCARDED_AT_ONCE):
                return
