"""A router's way to the media engines: a socket for each, and the client that knows what to send and when (I/O rim)."""

import secrets
import socket
from collections.abc import Iterable

from switchboard.core.relay_rules import NEVER
from switchboard.core.relays import Relays
from switchboard.media.client import Datagram, NgClient
from switchboard.media.commands import Ask, Told
from switchboard.media.engine import Engine
from switchboard.settings.model import Settings

_LARGEST = 65_535
_AT_ONCE = 256
"""Answers that are read from one engine before others have their turn."""


def make_relays(settings: Settings, key: bytes) -> Relays | None:
    """Return the core's part; None if no media is relayed."""
    engines = _engines(settings)
    return Relays(engines, settings.relay_media, key, settings.advertise) if engines else None


def make_media_link(settings: Settings) -> "MediaLink | None":
    """Return the way to the engines; None if no media is relayed."""
    engines = _engines(settings)
    return MediaLink(engines) if engines else None


def _engines(settings: Settings) -> list[Engine]:
    if settings.relay_media == NEVER:
        return []
    return list(dict.fromkeys(Engine.parse(each) for each in settings.media))


class MediaLink:
    """Asks the engines over UDP. A socket is connected to each: it hears nobody else, and that nobody listens there."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self._sockets = {engine: _connected(engine) for engine in engines}
        self._client = NgClient(list(self._sockets), secrets.token_hex(8) + "_")
        self._line: list[socket.socket] = []

    @property
    def fds(self) -> list[int]:
        """Readable when an engine has answered: then `take`."""
        return [each.fileno() for each in (*self._sockets.values(), *self._line)]

    def open_line(self) -> tuple[list[int], bytes]:
        """Open a socket to each engine for another one who asks, and return them with the prefix of his cookies."""
        self._line = [_connected(engine) for engine in self._sockets]
        return [each.fileno() for each in self._line], secrets.token_hex(8).encode() + b"_"

    @property
    def gone(self) -> int:
        """Which engines do not answer: a bit for each, in their order."""
        gone = self._client.gone
        return sum(1 << place for place, engine in enumerate(self._sockets) if engine in gone) if gone else 0

    def ask(self, asks: Iterable[Ask], now: float) -> None:
        """Ask the engines."""
        for ask in asks:
            self._send(self._client.ask(ask, now), now)

    def take(self, now: float) -> list[tuple[int, Told]]:
        """Read what has come; return the answers that are complete, by the token of who asked."""
        for engine, each in self._sockets.items():
            self._read(engine, each, now)
        return self._client.take_told()

    def next_deadline(self) -> float:
        """When `handle_timer` is due."""
        return self._client.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Repeat, ask others, ping; then `take` may have something."""
        self._send(self._client.handle_timer(now), now)

    def notes(self) -> list[str]:
        """Which engines do not answer."""
        return self._client.notes()

    def stats(self) -> dict[str, float]:
        """The counters."""
        return self._client.stats()

    def close(self) -> None:
        """Let go of the sockets."""
        for each in (*self._sockets.values(), *self._line):
            each.close()

    def _read(self, engine: Engine, each: socket.socket, now: float) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram = each.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                self._send(self._client.refuse(engine, now), now)
                continue
            self._send(self._client.receive(engine, datagram, now), now)

    def _send(self, datagrams: Iterable[Datagram], now: float) -> None:
        waiting = list(datagrams)
        while waiting:
            engine, raw = waiting.pop(0)
            try:
                self._sockets[engine].send(raw)
            except BlockingIOError:
                continue  # as if it had been lost on the way
            except OSError:
                waiting += self._client.refuse(engine, now)


def _connected(engine: Engine) -> socket.socket:
    family = socket.AF_INET6 if ":" in engine.host else socket.AF_INET
    each = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    each.connect((engine.host, engine.port))
    return each
