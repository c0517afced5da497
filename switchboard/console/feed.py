"""What happens to calls and registrations, as events for programs (docs/API.md).

Theory. A thread looks as long as somebody listens: at the journal's calls and records every LOOK_S, and at what the
registrar publishes at once. An event is what differs from the look before, so a call that was shorter than the time
between two looks is told by its record alone: as begun and ended. Each listener has a queue of bounded size. One that
does not keep up is told that it was dropped, and its stream ends: it can list everything and follow anew.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.codec import CodecError, unpack
from switchboard.console.journal import journal_lines, journal_size
from switchboard.console.watch import registered_phones
from switchboard.journal.record import parse_line
from switchboard.registrar.binding import Binding
from switchboard.registrar.follower import SILENT_S
from switchboard.registrar.store import Change, StoreError, registrar_of
from switchboard.registrar.user_table import users_in
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of

LOOK_S: Final = 0.5
PATIENCE_S: Final = 0.1
"""The thread ends within this time once nobody listens."""
WAITING: Final = 1000
"""Events of one listener that are not read yet."""
MOST: Final = 20
"""Listeners."""
ANSWER_S: Final = 1.0
CALL_FIELDS: Final = ("call_id", "caller", "callee", "state", "started_at", "ringing_at", "answered_at")
_CHANGED: Final = frames.head("location.changed")
_CHANGES: Final = _CHANGED, frames.head("location.learned")
_NUMBER: Final = frames.head("location.number")


@dataclass(frozen=True, slots=True)
class Happening:
    """One event: its kind, such as `call.ended`, and what it tells."""

    kind: str
    what: Mapping[str, Any]


DROPPED = Happening(
    "dropped", {"why": f"More than {WAITING} events waited: list everything, and follow anew."}
)


class TooMany(Exception):
    """There are MOST listeners."""


@dataclass(slots=True)
class Listener:
    """One reader of the events. Belongs to the loop of the pages."""

    waiting: asyncio.Queue[Happening] = field(default_factory=lambda: asyncio.Queue(WAITING + 1))
    is_dropped: bool = False

    def take(self, happening: Happening) -> None:
        """Keep an event until it is read; the last one, if there are too many, tells so."""
        if self.is_dropped:
            return
        self.is_dropped = self.waiting.qsize() >= WAITING
        self.waiting.put_nowait(DROPPED if self.is_dropped else happening)


class Feed:
    """Owns the listeners, and the thread that looks for them."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self._settings = settings
        self._context = context
        self._listeners: list[Listener] = []
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[Listener, None]:
        """A listener that gets the events from now on. TooMany."""
        if len(self._listeners) >= MOST:
            raise TooMany
        listener = Listener()
        self._listeners.append(listener)
        if len(self._listeners) == 1:
            self._ends = threading.Event()
            loop, ends = asyncio.get_running_loop(), self._ends
            self._thread = threading.Thread(target=self._look, args=(loop, ends), name="feed", daemon=True)
            self._thread.start()
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            if not self._listeners and self._thread:
                self._ends.set()
                await asyncio.to_thread(self._thread.join)

    def _look(self, loop: asyncio.AbstractEventLoop, ends: threading.Event) -> None:
        calls, registrations = CallNews(self._settings, self._context), Registrations()
        with self._context.socket(zmq.SUB) as socket:
            socket.set(zmq.LINGER, 0)
            for subject in (*_CHANGES, _NUMBER):
                socket.subscribe(subject)
            for number in range(self._settings.registrars):
                self._context.connect(socket, endpoints_of(self._settings).publisher("registrar", number))
            with suppress(RpcError, StoreError):
                registrations.begin(self._settings, self._context)
            due = 0.0
            while not ends.is_set():
                news = list(registrations.take(socket, PATIENCE_S))
                if time.monotonic() >= due:
                    due = time.monotonic() + LOOK_S
                    news += calls.look()
                if news:
                    with suppress(RuntimeError):  # the pages have ended
                        loop.call_soon_threadsafe(self._tell, news)

    def _tell(self, news: list[Happening]) -> None:
        for listener in self._listeners:
            for happening in news:
                listener.take(happening)


class CallNews:
    """The calls of the last look; the journal's records from the first look on."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self._settings = settings
        self._context = context
        self._known: dict[tuple[str, str], Mapping[str, Any]] | None = None
        self._position: int | None = None

    def look(self) -> Iterator[Happening]:
        """Yield what has happened since the last look; nothing while the journal does not answer."""
        server = endpoints_of(self._settings).ask("journal")
        try:
            found = call_rpc(server, "call.list", None, ANSWER_S, self._context)
            records = list(self._records())
        except (RpcError, OSError):
            return
        now = {(each["call_id"], each["started_at"]): each for each in found}
        known, self._known = self._known, now
        if known is None:
            return
        for key, call in now.items():
            before = known.get(key)
            if before is None:
                yield Happening("call.began", _call(call))
            elif before["state"] != call["state"]:
                yield Happening("call.changed", _call(call))
        for record in records:
            if (record["call_id"], record["started_at"]) not in known:
                yield Happening("call.began", _call({**record, "state": "calling"}))
            yield Happening("call.ended", record)

    def _records(self) -> Iterator[Mapping[str, Any]]:
        """Those that were written since the last look. A file that is shorter now was begun anew."""
        size = journal_size(self._settings, self._context)
        if self._position is None:
            self._position = size
        position = self._position if self._position <= size else 0
        for line in journal_lines(self._settings, self._context, position):
            position += len(line)
            if record := parse_line(line):
                yield record.model_dump(mode="json")
        self._position = position


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: call[name] for name in CALL_FIELDS}


class Registrations:
    """The contacts of each user, as they were told last."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}
        self._number: int | None = None
        self._registrar = 0  # each of several knows all: the one that is heard
        self._heard_at = 0.0

    def begin(self, settings: Settings, context: BusContext) -> None:
        """Learn who is registered. RpcError or StoreError if nobody can tell."""
        for phone in registered_phones(settings, context, time.time()):
            self._known.setdefault(phone.user, set()).add(phone.contact)

    def take(self, socket: zmq.Socket[bytes], within_s: float) -> Iterator[Happening]:
        """Yield what the registrar publishes within this time; at once if there is something."""
        wait_ms = int(1000 * within_s)
        while socket.poll(wait_ms):
            wait_ms = 0
            yield from self._take(socket.recv(), time.monotonic())

    def _take(self, frame: bytes, now: float) -> Iterator[Happening]:
        if frame.startswith(_NUMBER):
            number = unpack(frame[len(_NUMBER) :])[0]
            self._hears(number, now)
            return
        head = next((each for each in _CHANGES if frame.startswith(each)), _CHANGED)
        with suppress(CodecError):
            number, start = Change.split(frame, len(head))
            if self._hears(number, now):
                yield from self._changed(number, users_in(frame[start:]))

    def _hears(self, number: int, now: float) -> bool:
        """Whether it is told by the registrar that is heard: another one once that is silent."""
        registrar = registrar_of(number)
        if registrar != self._registrar and now - self._heard_at < SILENT_S:
            return False
        self._registrar, self._heard_at = registrar, now
        return True

    def _changed(self, number: int, users: Mapping[str, list[Binding]]) -> Iterator[Happening]:
        if self._number is not None and number != self._number + 1:
            yield Happening(
                "registrations.missed", {"why": "List the bindings: some changes were not heard."}
            )
        self._number = number
        for user, bindings in users.items():
            before = self._known.pop(user, set())
            contacts = {each.contact: each for each in bindings}
            for contact in sorted(before.difference(contacts)):
                yield Happening("registration.ended", {"user": user, "contact": contact})
            for contact, each in contacts.items():
                kind = "registration.changed" if contact in before else "registration.began"
                yield Happening(kind, _told(user, each))
            if contacts:
                self._known[user] = set(contacts)


def _told(user: str, binding: Binding) -> dict[str, Any]:
    shown = binding.to_map()
    return {
        "user": user,
        "contact": shown["contact_uri"],
        "source": shown["source"],
        "transport": shown["transport"],
        "user_agent": shown["user_agent"],
    }
