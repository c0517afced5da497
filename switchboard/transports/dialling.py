"""Connections that an edge-stream makes by itself (RFC 3261 §18.1.1), for requests that name no connection."""

import re
import secrets
import socket
import time
from typing import Protocol

from switchboard.sip.advertised import seen_address
from switchboard.sip.flow import SERIAL_OCTETS, Flow, connection_of, is_dialled, is_secure
from switchboard.transports.channels import Channels
from switchboard.transports.connection import Connection, Place
from switchboard.transports.framing import HEAD_END
from switchboard.transports.keeper_link import KeeperLink
from switchboard.transports.shares import Shares
from switchboard.transports.tcp_counts import counts_of
from switchboard.transports.tcp_sockets import dial

MOST_DIALLED, SHARE_OF_HOST = 500, 50
"""Connections that are being made at a time, to all and to one host. Beyond, the one that takes the longest is given
up: who answers has answered before.
"""
_HOST = rb"(?:[^@>;?\r\n ]*@)?(?:\[([^\]\r\n]+)\]|([^>;:?\r\n ]+))"
_ROUTE = re.compile(rb"\nRoute[ \t]*:[^\n]*?<sips?:" + _HOST, re.IGNORECASE)
_REQUEST_URI = re.compile(rb"[A-Z]+ sips?:" + _HOST, re.IGNORECASE)


class Owner(Protocol):
    """Who has the connections once they are made."""

    def __contains__(self, connection: Connection) -> bool: ...
    def enter(self, connection: Connection) -> None: ...
    def end(self, connection: Connection, cause: str) -> None: ...
    def write(self, connection: Connection, message: bytes, now: float) -> None: ...
    def fail(self, flow: Flow, message: bytes) -> None: ...


class Dialling:
    """The connections that are being made (`waiting`), and which one was made to a peer.

    `instance` is of the edge-stream; its keeper hears by `link` of what was made; `channels` makes their channels.
    """

    def __init__(
        self, instance: int, link: KeeperLink, channels: Channels, owner: Owner, advertised: str = ""
    ) -> None:
        self._advertised = advertised
        self.waiting: Shares[Connection] = Shares(MOST_DIALLED, SHARE_OF_HOST)
        self._instance, self._link, self._channels, self._owner = instance, link, channels, owner
        self._by_place: dict[Place, Connection] = {}
        self._silent: dict[Connection, float] = {}
        """Since when those wait (monotonic s) whose peer has not begun its part of the handshake."""

    @property
    def is_pressing(self) -> bool:
        """Whether there is something to `sweep`."""
        return bool(len(self.waiting) or self._silent)

    def find(self, flow: Flow, message: bytes) -> Connection | None:
        """Return the connection that was made, or is being made, to whom `message` is for."""
        return self._by_place.get(_place_of(flow, message))

    def made_to(self, flow: Flow) -> list[Connection]:
        """All connections that were made to that address, whoever was to prove to be there."""
        return [each for each in self._by_place.values() if each.flow.is_same_way(flow)]

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        self.waiting.end(connection)
        self._silent.pop(connection, None)
        if connection.place and self._by_place.get(connection.place) is connection:
            del self._by_place[connection.place]

    def sweep(self, now: float, dial_s: float) -> None:
        """Give those up that take too long to be made, and then to begin a handshake."""
        for connection in self.waiting:
            if now - connection.stalled_since > dial_s:
                self._give_up(connection)
        for connection, since in list(self._silent.items()):
            if connection.fed or connection.consumed:
                del self._silent[connection]
            elif now - since > dial_s:
                self._owner.end(connection, "not made")

    def dial(self, flow: Flow, message: bytes, now: float) -> Connection | None:
        """Begin to make the connection for a message; None: that is impossible."""
        if not is_dialled(flow.transport):
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
        connection.stalled_since = now
        self._owner.enter(connection)
        if late := self.waiting.begin(connection, flow.host):
            self._give_up(late)
        return connection

    def settle(self, connection: Connection, now: float) -> None:
        """It is made, or it never will be."""
        sock = connection.sock
        try:
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, "not connected")
            sock.getpeername()
            local = seen_address(self._advertised, sock.getsockname()[0], connection.flow.host)
            connection.base, connection.given = counts_of(sock)
            flow, since_at = connection.flow, connection.since_at
            self._link.tell_made(
                connection.serial, flow.transport, flow.host, flow.port, since_at, sock.fileno()
            )
        except OSError:
            self._give_up(connection)
            return
        self.waiting.end(connection)
        connection.flow = connection.flow._replace(local=local)
        backlog, connection.backlog = connection.backlog, None
        for message in backlog or ():
            if connection not in self._owner:
                self._owner.fail(connection.flow, message)
            else:
                self._owner.write(connection, message, now)
        if connection in self._owner and connection.channel.is_midway:
            self._silent[connection] = now

    def _give_up(self, connection: Connection) -> None:
        backlog, connection.backlog = connection.backlog or [], []
        connection.is_stranger = True  # nobody knows it
        flow = connection.flow._replace(connection=b"")
        self._owner.end(connection, "not made")
        for message in backlog:
            self._owner.fail(flow, message)


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
