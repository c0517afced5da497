"""A connection to a peer that may be on another host: whether it is up, why not, and how it is made again.

Theory. libzmq reconnects by itself when a connection ends or could not be made. There are two cases in which it
never does: after the other side refused our key (ZAP 400, 500), and after a program answered that does not speak
ZMTP with CURVE, for example an SSH server on the port while the host was being installed. So a link that is not
connected disconnects its endpoint from time to time and connects again. Messages that wait in the socket stay there:
they are for the next connection.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from switchboard.bus.endpoints import Endpoint

SECURED = "tcp://"
RENEW_S = 2.0
"""After a refusal."""
SILENT_S = 10.0
"""Where nothing is known, such as a server that accepts and says nothing."""
_REFUSED = int(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
_STRANGE = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_UNKNOWN = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
_SUCCEEDED, _ENDED = int(zmq.EVENT_HANDSHAKE_SUCCEEDED), int(zmq.EVENT_DISCONNECTED)
NAMELESS = "DNS knows no address of its host"
_STRANGER = "what answers there is not this switchboard, or does not encrypt"
_WATCHED = _REFUSED | _STRANGE | _UNKNOWN | _SUCCEEDED | _ENDED


class Link:
    """A socket, whose options are set, and the endpoint that it is connected to by `connect`.

    `connect` returns the endpoint that it chose, with an IP address; "" if the peer's name has none now.

    Over TCP only, or if it is `watched`, `is_connected` and `reason` (why not, for people; "" if unknown) are kept up
    to date, by `look`; else it counts as connected. `renewed` counts new connections. `own_key`: the fingerprint.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        endpoint: str,
        connect: Callable[[zmq.Socket[bytes], str], str],
        own_key: str = "",
        watched: bool = False,
    ) -> None:
        self.socket = socket
        self.endpoint = endpoint
        self.reason = ""
        self.renewed = 0
        self._connect = connect
        self._own_key = own_key
        self._is_renewable = endpoint.startswith(SECURED)
        self.monitor = socket.get_monitor_socket(_WATCHED) if watched or self._is_renewable else None
        self.is_connected = self.monitor is None
        self._failure = ""  # of the handshake that goes on
        self._has_failed = False  # since the last new connection
        self._renew_at = 0.0
        self._connected_to = ""
        self._make(time.monotonic())

    @property
    def name(self) -> str:
        """Whose endpoint it is: NAME.INSTANCE."""
        return self.endpoint.owner if isinstance(self.endpoint, Endpoint) else self.endpoint

    @property
    def is_closed(self) -> bool:
        """Whether there is nothing to look at any more."""
        return bool(self.socket.closed)

    def connect_anew(self, now: float) -> None:
        """Connect with options of the socket that were set since. What was on its way is lost."""
        if self._connected_to:
            self.socket.disconnect(self._connected_to)
        self._make(now)

    def look(self, now: float) -> None:
        """Take note of what has happened; connect anew if it is time. `now`: monotonic s."""
        if self.monitor is None:
            return
        while int(self.monitor.get(zmq.EVENTS)) & zmq.POLLIN:
            self._note(parse_monitor_message(self.monitor.recv_multipart()), now)
        if self._is_renewable and not self.is_connected and now >= self._renew_at:
            self._renew(now)

    def close(self) -> None:
        """Let go of the socket; its own linger holds."""
        if self.monitor is not None:
            self.socket.disable_monitor()
            self.monitor.close(linger=0)
        self.socket.close()

    def _note(self, told: Any, now: float) -> None:
        event = int(told["event"])
        if event == _SUCCEEDED:
            self.is_connected, self.reason, self._failure, self._renew_at = True, "", "", math.inf
        elif event == _ENDED:
            self.reason = "" if self.is_connected else self._failure or _STRANGER
            self.is_connected, self._failure, self._has_failed = False, "", True
            self._renew_at = min(self._renew_at, now + RENEW_S)
        else:
            self._failure = self._explain(event)

    def _explain(self, event: int) -> str:
        if event == _STRANGE:
            return _STRANGER
        if event == _REFUSED:
            return f"it refuses this host's key {self._own_key}, which it does not know"
        return "it hangs up; the key that this host has of it may be an old one, in keys_dir"

    def _renew(self, now: float) -> None:
        if not self._has_failed:
            self.reason = ""
        self._has_failed = False
        self.connect_anew(now)
        self.renewed += 1

    def _make(self, now: float) -> None:
        self._connected_to = self._connect(self.socket, self.endpoint)
        self._renew_at = now + (SILENT_S if self._connected_to else RENEW_S)
        if not self._connected_to:
            self.reason = NAMELESS
