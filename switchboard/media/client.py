"""A client of media engines, without sockets or clock (the NG protocol: a cookie, a blank, a dictionary in bencode).

Theory. An engine answers within a millisecond. So after a short time without an answer the same datagram is sent once
more, and after another one the next engine is asked: the first is taken for gone, and is asked last, until it answers a
ping again. An engine remembers cookies for up to a minute and answers a known one as it did before, whoever sends it.
So a cookie is made of what nobody else has: `prefix` is drawn anew by each process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from switchboard.media.bencode import BencodeError, decode, encode
from switchboard.media.commands import GONE, Ask, Told, read_reply
from switchboard.media.engine import Engine

ANSWER_S: Final = 0.5
"""How long an answer may take before the question is repeated, and before it is given up."""
TRIES: Final = 2
PING_S: Final = 5.0
"""Between two pings of an engine."""
MOST: Final = 5_000
"""Questions that wait for an answer; those beyond are answered at once, by nobody."""

Datagram = tuple[Engine, bytes]


@dataclass(slots=True)
class _Pending:
    ask: Ask
    engine: Engine
    left: tuple[Engine, ...]
    raw: bytes
    due: float
    lost: tuple[Engine, ...] = ()
    tries: int = 1


class NgClient:
    """Asks `engines`, and returns what is to be sent. `prefix`: random. Instants: monotonic s.

    `gone`: engines that do not answer. `asked`, `repeated`, `unanswered`, `moved` (to another engine), `refused` (too
    many were waiting) and `bad` (what came was no answer) are counted.
    """

    def __init__(self, engines: Sequence[Engine], prefix: str) -> None:
        self.gone: set[Engine] = set()
        self.asked = self.repeated = self.unanswered = self.moved = self.refused = self.bad = 0
        self._engines = tuple(engines)
        self._prefix = prefix
        self._number = 0
        self._pending: dict[bytes, _Pending] = {}
        self._told: list[tuple[int, Told]] = []
        self._next_ping: float | None = None

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return len(self._pending)

    def next_deadline(self) -> float:
        """When `handle_timer` is due; 0.0: now."""
        first = self._next_ping or 0.0
        return min((pending.due for pending in self._pending.values()), default=first) if first else first

    def ask(self, ask: Ask, now: float) -> Iterable[Datagram]:
        """Ask; the answer comes by `take_told`."""
        if len(self._pending) >= MOST:
            self.refused += 1
            self._tell(ask, Told(None, error="too many questions wait for the media engines"))
            return ()
        engines = [each for each in ask.engines if each not in self.gone]
        engines += [each for each in ask.engines if each in self.gone]
        if not engines:
            self._tell(ask, Told(None, error="there is no media engine"))
            return ()
        self.asked += 1
        return self._send(ask, engines, now)

    def receive(self, engine: Engine, datagram: bytes, now: float) -> Iterable[Datagram]:
        """Take what came from an engine (untrusted)."""
        cookie, _, body = datagram.partition(b" ")
        pending = self._pending.get(cookie)
        if pending is None or pending.engine != engine:
            self.bad += 1  # or an answer to what was given up
            return ()
        try:
            told = read_reply(decode(body), engine)
        except BencodeError as error:
            self.bad += 1
            told = Told(engine, error=f"its answer cannot be read: {error}")
        del self._pending[cookie]
        self.gone.discard(engine)
        if pending.ask.moves_on and pending.left and (told.error or told.knew_nothing):
            self.moved += 1
            lost = (engine,) if told.error == GONE else ()
            return self._send(pending.ask, pending.left, now, pending.lost + lost)
        self._tell(pending.ask, told._replace(lost=pending.lost))
        return ()

    def refuse(self, engine: Engine, now: float) -> Iterable[Datagram]:
        """Nobody listens there, as the network says."""
        sent: list[Datagram] = []
        for cookie, pending in list(self._pending.items()):
            if pending.engine == engine:
                sent += self._give_up(cookie, pending, now)
        return sent

    def handle_timer(self, now: float) -> Iterable[Datagram]:
        """Repeat what was not answered in time, ask the next engine, ping."""
        sent: list[Datagram] = []
        for cookie, pending in list(self._pending.items()):
            if pending.due > now:
                continue
            if pending.tries < TRIES and pending.engine not in self.gone:
                pending.tries, pending.due = pending.tries + 1, now + ANSWER_S
                self.repeated += 1
                sent.append((pending.engine, pending.raw))
            else:
                sent += self._give_up(cookie, pending, now)
        if self._next_ping is None or self._next_ping <= now:
            self._next_ping = now + PING_S
            for engine in self._engines:
                sent += self._send(Ask(None, {"command": "ping"}, (engine,)), (engine,), now)
        return sent

    def take_told(self) -> list[tuple[int, Told]]:
        """Return the answers that have come, by token."""
        told, self._told = self._told, []
        return told

    def notes(self) -> list[str]:
        """What people are to know."""
        return [
            f"the media engine {engine} does not answer" for engine in self._engines if engine in self.gone
        ]

    def stats(self) -> dict[str, float]:
        """The counters."""
        return {
            "media_asked": self.asked,
            "media_waiting": self.waiting,
            "media_repeated": self.repeated,
            "media_unanswered": self.unanswered,
            "media_moved": self.moved,
            "media_refused": self.refused,
            "media_bad": self.bad,
            "media_gone": len(self.gone),
        }

    def _send(
        self, ask: Ask, engines: Sequence[Engine], now: float, lost: tuple[Engine, ...] = ()
    ) -> list[Datagram]:
        engine, *left = engines
        self._number += 1
        cookie = f"{self._prefix}{self._number:x}".encode()
        raw = cookie + b" " + encode(dict(ask.command))
        self._pending[cookie] = _Pending(ask, engine, tuple(left), raw, now + ANSWER_S, lost)
        return [(engine, raw)]

    def _give_up(self, cookie: bytes, pending: _Pending, now: float) -> list[Datagram]:
        del self._pending[cookie]
        self.gone.add(pending.engine)
        if pending.left:
            self.moved += 1
            return self._send(pending.ask, pending.left, now, pending.lost)
        self.unanswered += pending.ask.token is not None
        self._tell(pending.ask, Told(None, error="no media engine answers", lost=pending.lost))
        return []

    def _tell(self, ask: Ask, told: Told) -> None:
        if ask.token is not None:
            self._told.append((ask.token, told))
