"""What the console's first page shows, asked for once for all browsers."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.clock import read_state
from switchboard.console.recent import Recent, RecentReader
from switchboard.registrar.listing import Wanted, doubt_of, read_pages, transport_told, way_of
from switchboard.registrar.sqlite import read_snapshot
from switchboard.registrar.store import StoreError
from switchboard.settings.ask import ask_registrar
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here
from switchboard.survey.ask import take_survey
from switchboard.survey.ping import answer_s
from switchboard.survey.reach import Reached, reach_of
from switchboard.survey.reading import Moment, Survey, moment

REGISTRAR = "registrar.0"
LISTED_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class RegisteredPhone:
    """One binding as people want it. `expires_at`: epoch s."""

    user: str
    contact: str
    user_agent: str
    source: str
    expires_at: float
    q: float
    transport: str = "UDP"
    connection: str = ""
    reached: Reached = Reached()

    @property
    def doubt(self) -> str:
        """What is odd about its address; "" for nothing."""
        return doubt_of(self.contact, self.source, self.connection)

    @property
    def reached_over(self) -> str:
        """The transport, and if its connection is closed, that."""
        return transport_told(self.transport, self.connection)

    @property
    def left_s(self) -> float:
        """Seconds that it is still registered."""
        return max(0.0, self.expires_at - time.time())


def registered_phones(settings: Settings, context: BusContext, now_at: float) -> list[RegisteredPhone]:
    """Return all bindings that have not expired, by user. RpcError or StoreError if nobody can tell."""
    is_stored = settings.registrars == 1 and is_here(REGISTRAR, settings)
    found = _stored(settings) if is_stored else _asked(settings, context)
    return sorted((each for each in found if each.expires_at > now_at), key=lambda each: each.user)


def some_phones(settings: Settings, context: BusContext, at_most: int) -> list[RegisteredPhone]:
    """Some of the bindings, by user: a registrar with many is asked for no more than it takes.

    While it does not answer, those of its store, if that is here. RpcError or StoreError if nobody can tell.
    """
    try:
        found = list(islice(_asked(settings, context), at_most))
    except RpcError:
        if not is_here(REGISTRAR, settings):
            raise
        now_at = time.time()
        found = list(islice((each for each in _stored(settings) if each.expires_at > now_at), at_most))
    return with_reach(sorted(found, key=lambda each: each.user), settings, context)


def with_reach(
    phones: Sequence[RegisteredPhone], settings: Settings, context: BusContext
) -> list[RegisteredPhone]:
    """The same, each with whether it answers, as far as that is known."""
    known = reach_of(settings, context, (each.user for each in phones))
    return [replace(each, reached=known.get((each.user, each.contact), each.reached)) for each in phones]


def phones_of(user: str, settings: Settings, context: BusContext) -> list[RegisteredPhone]:
    """The bindings of one user, as the registrar has them. RpcError."""
    return with_reach(list(_asked(settings, context, Wanted(name=user))), settings, context)


def _stored(settings: Settings) -> Iterator[RegisteredPhone]:
    _, users = read_snapshot(settings.store_path)
    clock = read_state(settings.data_dir)
    correction_s = clock.correction if clock else 0.0
    for user, bindings in users.items():
        for each in (binding.moved(correction_s) for binding in bindings):
            way = each.transport_name, each.connection
            yield RegisteredPhone(
                user, each.contact, each.user_agent, each.source, each.expires_at, each.q, *way
            )


def _asked(
    settings: Settings, context: BusContext, wanted: Wanted | None = None
) -> Iterator[RegisteredPhone]:
    pages = read_pages(
        lambda body: ask_registrar(settings, context, "location.list", body, LISTED_WITHIN_S), wanted
    )
    for user, bindings in pages:
        for each in bindings:
            expires_at = time.time() + each["left_s"]  # the registrar's clock may be another
            yield RegisteredPhone(
                user,
                each["contact_uri"],
                each["user_agent"],
                each["source"],
                expires_at,
                each["q"],
                *way_of(each),
            )


PERIOD_S = 2.0
UNWATCHED_PERIOD_S = 10.0
WATCHED_FOR_S = 5.0
"""So long after the last request for a look somebody is thought to be there."""
SPAN_S = 300.0
"""What the charts show."""
SHOWN_ROWS = 200
"""Of phones, and of calls."""
FIRST_PAUSE_S = 0.25
ANSWER_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at one instant. `calls` and `phones` are None where their owner did not answer.

    `phones` are SHOWN_ROWS at most; `moment` has how many there are.
    """

    at: float
    moment: Moment
    calls: Sequence[Mapping[str, Any]] | None
    phones: Sequence[RegisteredPhone] | None
    answer_s: float | None = None
    """How long an OPTIONS took through the edge; None: no answer, or nobody watched."""
    recent: Recent = field(default_factory=Recent)
    past_calls: int = 0
    """How many there were, of a look that is past."""

    def past(self) -> "Look":
        """What charts need of it later: numbers. Thousands of calls, once for each look, would fill the memory."""
        seen = replace(self.moment, workers=(), calls=())
        return Look(self.at, seen, None, None, self.answer_s, past_calls=len(self.moment.calls))


class Watch:
    """Owns the looks of the last minutes: the latest one, and numbers of the others. `run` is the task that looks."""

    def __init__(self, settings: Settings, context: BusContext, recent: RecentReader) -> None:
        self.looks: deque[Look] = deque(maxlen=round(SPAN_S / PERIOD_S))
        self._settings = settings
        self._context = context
        self._recent = recent
        self._before: Survey | None = None
        self._news = asyncio.Condition()
        self._number = 0
        self._followers = 0
        self._watched_until = 0.0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled."""
        begun = time.monotonic()
        while True:
            await self._pause(begun)
            begun = time.monotonic()
            look = await asyncio.to_thread(self._look)
            async with self._news:
                self._keep(look)
                self._news.notify_all()

    async def latest(self) -> Look:
        """Return a look that is not older than PERIOD_S or so."""
        self._watched_until = time.monotonic() + WATCHED_FOR_S
        async with self._news:
            if not self.looks or time.time() > self.looks[-1].at + 1.5 * PERIOD_S:
                self._wake.set()
                seen = self._number
                await self._news.wait_for(lambda: self._number != seen)
            return self.looks[-1]

    async def follow(self) -> AsyncGenerator[Look, None]:
        """Yield each look from now on."""
        self._followers += 1
        self._wake.set()
        try:
            while True:
                async with self._news:
                    await self._news.wait()
                    look = self.looks[-1]
                yield look
        finally:
            self._followers -= 1

    def _keep(self, look: Look) -> None:
        if self.looks:
            self.looks[-1] = self.looks[-1].past()
        self.looks.append(look)
        self._number += 1
        while self.looks[0].at < look.at - SPAN_S:
            self.looks.popleft()

    async def _pause(self, begun: float) -> None:
        pause_s = begun + (PERIOD_S if self._watched else UNWATCHED_PERIOD_S) - time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.1, pause_s))
        self._wake.clear()

    @property
    def _watched(self) -> bool:
        return self._followers > 0 or time.monotonic() < self._watched_until

    def _look(self) -> Look:
        before = self._before or take_survey(self._settings, self._context)
        if self._before is None:
            time.sleep(FIRST_PAUSE_S)
        self._before = survey = take_survey(self._settings, self._context)
        calls = self._calls()
        seen = moment(before, survey, calls or ())
        return Look(time.time(), seen, calls, self._phones(), self._answer_s(), self._recent.look())

    def _answer_s(self) -> float | None:
        return answer_s(self._settings, ANSWER_WITHIN_S) if self._watched else None

    def _calls(self) -> Sequence[Mapping[str, Any]] | None:
        try:
            server = endpoints_of(self._settings).ask("journal")
            found: list[dict[str, Any]] = call_rpc(server, "call.list", None, ANSWER_WITHIN_S, self._context)
        except RpcError:
            return None
        return found

    def _phones(self) -> Sequence[RegisteredPhone] | None:
        try:
            return some_phones(self._settings, self._context, SHOWN_ROWS)
        except (RpcError, StoreError):
            return None
