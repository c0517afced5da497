"""The console's pages of the journal, and the records that they show, wherever these are kept."""

import asyncio
import io
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.console.pages import Pages
from switchboard.journal.file import lines_from_end, read_part
from switchboard.journal.record import CallDetailRecord, Outcome, write_csv
from switchboard.journal.search import MISSED, Wanted, find
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here

JOURNAL = "journal.0"
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of records, and what is drawn above it. `days`: the latest first; `charted`: the records they count."""

    records: Sequence[CallDetailRecord] = ()
    more: bool = False
    days: Sequence["Day"] = ()
    charted: int = 0


def page_of(records: Iterable[CallDetailRecord], skip: int, count: int, charted: int = 0) -> Shown:
    """Return `count` records after the first `skip`. Of the first page so many are counted by day, as far as a chart
    reaches; `records`: the last that ended first.
    """
    if skip or not charted:
        found = list(islice(records, skip, skip + count + 1))
        return Shown(found[:count], len(found) > count)
    found, days = [], dict[str, Day]()
    for record in islice(records, charted):
        if len(found) <= count:
            found.append(record)
        _count(record, days)
        if len(days) > BARS and len(found) > count:
            break
    return Shown(
        found[:count], len(found) > count, _latest_first(days), sum(each.calls for each in days.values())
    )


@dataclass(slots=True)
class Day:
    """The calls that began on one day here."""

    day: str
    outcomes: Counter[str] = field(default_factory=Counter)
    talked_s: float = 0.0

    @property
    def calls(self) -> int:
        """All of them."""
        return self.outcomes.total()

    @property
    def answered(self) -> int:
        """Those that somebody answered."""
        return self.outcomes[Outcome.ANSWERED.value]


def by_day(records: Iterable[CallDetailRecord]) -> list[Day]:
    """Count the records, the latest day first."""
    days: dict[str, Day] = {}
    for record in records:
        _count(record, days)
    return _latest_first(days)


def _count(record: CallDetailRecord, days: dict[str, Day]) -> None:
    name = datetime.fromisoformat(record.started_at).astimezone().strftime("%Y-%m-%d")
    day = days.setdefault(name, Day(name))
    day.outcomes[record.outcome.value] += 1
    day.talked_s += record.duration_s


def _latest_first(days: dict[str, Day]) -> list[Day]:
    return [days[name] for name in sorted(days, reverse=True)]


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart. `calls`, `answered`: heights, from 0 to 100."""

    day: str
    count: int
    calls: float
    answered: float


BARS = 31


def bars(days: Sequence[Day]) -> list[Bar]:
    """The last BARS days up to the latest one that has calls, the oldest first; days without calls are 0 high."""
    if not days:
        return []
    known = {each.day: each for each in days}
    last = date.fromisoformat(days[0].day)
    names = [str(last - timedelta(days=back)) for back in reversed(range(BARS))]
    shown = [known.get(name, Day(name)) for name in names]
    top = max(each.calls for each in shown)
    return [Bar(each.day, each.calls, 100 * each.calls / top, 100 * each.answered / top) for each in shown]


def _quick(asked: dict[str, str], now_at: float) -> list[tuple[str, str, bool]]:
    """Searches that one click does: what they are called, their query, and whether it is this one."""
    today = datetime.fromtimestamp(now_at).date()
    week, yesterday = str(today - timedelta(days=6)), str(today - timedelta(days=1))
    searches: list[tuple[str, dict[str, str]]] = [
        ("All", {}),
        ("Today", {"since": str(today)}),
        ("Yesterday", {"since": yesterday, "until": yesterday}),
        ("Last 7 days", {"since": week}),
        ("Missed, 7 days", {"outcome": MISSED, "since": week}),
        ("Failed, 7 days", {"outcome": Outcome.FAILED.value, "since": week}),
    ]
    here = {name: text for name, text in asked.items() if text}
    return [(name, urlencode(query), query == here) for name, query in searches]


def journal_lines(settings: Settings, context: BusContext, position: int = 0) -> Iterator[bytes]:
    """Yield the lines of the journal from this byte on, wherever it is. OSError or RpcError if it cannot be read."""
    while part := _part(settings, context, position):
        yield from part
        position += sum(map(len, part))


def journal_size(settings: Settings, context: BusContext) -> int:
    """How many bytes the journal has. OSError or RpcError."""
    if is_here(JOURNAL, settings):
        return settings.cdr_path.stat().st_size if settings.cdr_path.exists() else 0
    endpoint = endpoints_of(settings).ask("journal")
    position, lines = call_rpc(endpoint, "record.before", -1, ANSWER_WITHIN_S, context)
    return int(position) + sum(map(len, lines))


def journal_lines_from_end(settings: Settings, context: BusContext) -> Iterator[bytes]:
    """The same, the last first; of the file here no more is read than is wanted."""
    if is_here(JOURNAL, settings):
        return lines_from_end(settings.cdr_path)
    return reversed(list(journal_lines(settings, context)))


def _part(settings: Settings, context: BusContext, position: int) -> list[bytes]:
    if is_here(JOURNAL, settings):
        return read_part(settings.cdr_path, position)
    endpoint = endpoints_of(settings).ask("journal")
    lines: list[bytes] = call_rpc(endpoint, "record.read", position, ANSWER_WITHIN_S, context)
    return lines


A_PAGE = 100
MAX_SKIP = 100_000
MAX_CSV = 500_000
MOST_CHARTED = 10_000
"""Records that are looked at for the chart above the list; "Totals a day" counts all."""
FIELDS = ("user", "outcome", "since", "until", "call_id")
Answer = TypeVar("Answer")


class Journal:
    """Owns the page and its download."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages = pages
        self._settings = settings
        self._context = context
        self.routes = [
            Route("/journal", self.show),
            Route("/journal/days", self.days),
            Route("/journal.csv", self.csv),
        ]

    async def show(self, request: Request) -> Response:
        """The calls that match, the last that ended first."""
        asked = _asked(request)
        skip = _number(request.query_params.get("skip", ""))
        shown, problem = await self._read(
            asked, lambda found: page_of(found, skip, A_PAGE, MOST_CHARTED), Shown(), from_end=True
        )
        return self._pages.page(
            request,
            "journal.html",
            records=shown.records,
            bars=bars(shown.days),
            is_small=True,
            charted=shown.charted if shown.charted == MOST_CHARTED else 0,
            filters=_filters(asked),
            asked=asked,
            outcomes=list(Outcome),
            quick=_quick(asked, time.time()),
            problem=problem,
            query=urlencode({name: text for name, text in asked.items() if text}),
            older=skip + A_PAGE if shown.more else None,
            newer=max(0, skip - A_PAGE) if skip else None,
        )

    async def days(self, request: Request) -> Response:
        """How many calls each day had, and how they ended."""
        asked = _asked(request)
        nothing: list[Day] = []
        days, problem = await self._read(asked, by_day, nothing)
        return self._pages.page(
            request,
            "days.html",
            days=days,
            bars=bars(days),
            is_small=False,
            charted=0,
            filters=_filters(asked),
            outcomes=list(Outcome),
            asked=asked,
            problem=problem,
        )

    async def csv(self, request: Request) -> Response:
        """The calls that match, for a spreadsheet."""
        text, problem = await self._read(_asked(request), _csv, "")
        if problem:
            return Response(f"{problem}\n", 503, media_type="text/plain")
        headers = {"Content-Disposition": 'attachment; filename="journal.csv"'}
        return Response(text, headers=headers, media_type="text/csv; charset=utf-8")

    async def _read(
        self,
        asked: dict[str, str],
        answer: Callable[[Iterable[CallDetailRecord]], Answer],
        nothing: Answer,
        *,
        from_end: bool = False,
    ) -> tuple[Answer, str]:
        """What `answer` makes of the records that are asked for, or `nothing` and why. `from_end`: the last first."""
        lines = journal_lines_from_end if from_end else journal_lines

        def read() -> Answer:
            matcher = Wanted(**asked).matcher()
            return answer(find(lines(self._settings, self._context), matcher))

        try:
            return await asyncio.to_thread(read), ""
        except ValueError as error:
            return nothing, f"{error}."
        except (OSError, RpcError) as error:
            return nothing, f"The journal cannot be read: {error}."


def _asked(request: Request) -> dict[str, Any]:
    return {name: request.query_params.get(name, "").strip() for name in FIELDS}


def _filters(asked: dict[str, Any]) -> str:
    """What a bar of the chart leads to besides its day."""
    return urlencode({name: asked[name] for name in ("user", "outcome") if asked[name]})


def _number(text: str) -> int:
    return min(int(text), MAX_SKIP) if text.isdecimal() else 0


def _csv(records: Iterable[CallDetailRecord]) -> str:
    stream = io.StringIO()
    write_csv(deque(records, MAX_CSV), stream)
    return stream.getvalue()
