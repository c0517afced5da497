"""Sends what was seen to a HEP3 collector: never waits for it, counts what it could not send."""

import socket
from typing import Any

from switchboard.history.hep import TooLongError, encode
from switchboard.history.seen import Direction, Seen
from switchboard.sip.mask import mask

_BUFFER_BYTES = 1 << 20


class HepSender:
    """A UDP socket to `collector`, `host:port`, whose name is looked up once. OSError if it cannot be."""

    def __init__(self, collector: str) -> None:
        host, _, port = collector.rpartition(":")
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
        family, kind, _, _, address = found[0]
        self._address: Any = address
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._sent = self._dropped = 0

    def send(self, seen: Seen, call_id: str) -> None:
        """Send one message, its secrets masked; what passes between workers is not for the collector."""
        if seen.direction is Direction.HOP:
            return
        try:
            packet = encode(seen._replace(raw=mask(seen.raw)), call_id)
            self._socket.sendto(packet, self._address)
            self._sent += 1
        except (OSError, TooLongError, ValueError):  # ValueError: an address of ours that nobody told
            self._dropped += 1

    def stats(self) -> dict[str, float]:
        """Packets that left, and those that did not."""
        return {"hep.sent": self._sent, "hep.dropped": self._dropped}

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
