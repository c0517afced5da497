"""The console's pages of the journal, and the records that they show, wherever these are kept."""

import asyncio
import io
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.console.pages import Pages
from switchboard.journal.file import read_part
from switchboard.journal.record import CallDetailRecord, Outcome, parse_line, timestamp, write_csv
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here

JOURNAL = "journal.0"
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; empty fields do not matter. `since`, `until`: days here, as 2026-11-24."""

    user: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""
    call_id: str = ""

    def matcher(self) -> "Matcher":
        """What finds it; ValueError, for people, if a day is none."""
        return Matcher(
            self.user.lower(),
            self.outcome,
            timestamp(_midnight(self.since)) if self.since else "",
            timestamp(_midnight(self.until) + 86400) if self.until else "~",
            self.call_id,
        )


@dataclass(frozen=True, slots=True)
class Matcher:
    """Bounds of `started_at` as records bear it; texts that caller or callee, outcome, Call-ID have."""

    user: str
    outcome: str
    since: str
    until: str
    call_id: str

    def may_match(self, line: bytes) -> bool:
        """Whether it is worth while to read the line."""
        return (
            self.outcome.encode() in line
            and self.call_id.encode() in line
            and (not self.user or self.user.encode() in line.lower())
        )

    def matches(self, record: CallDetailRecord) -> bool:
        """Whether the record is one of those."""
        return (
            self.since <= record.started_at < self.until
            and self.outcome in ("", record.outcome.value)
            and self.call_id in ("", record.call_id)
            and (self.user in record.caller.lower() or self.user in record.callee.lower())
        )


def find(lines: Iterable[bytes], wanted: Matcher) -> Iterator[CallDetailRecord]:
    """Yield the records that match, in the order of the journal."""
    for line in lines:
        if wanted.may_match(line) and (record := parse_line(line)) and wanted.matches(record):
            yield record


def newest(records: Iterable[CallDetailRecord], skip: int, count: int) -> tuple[list[CallDetailRecord], bool]:
    """Return `count` records before the `skip` newest, the newest first, and whether there are older ones."""
    kept = deque(records, maxlen=skip + count + 1)
    kept.reverse()
    found = list(kept)[skip:]
    return found[:count], len(found) > count


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
        name = datetime.fromisoformat(record.started_at).astimezone().strftime("%Y-%m-%d")
        day = days.setdefault(name, Day(name))
        day.outcomes[record.outcome.value] += 1
        day.talked_s += record.duration_s
    return [days[name] for name in sorted(days, reverse=True)]


def journal_lines(settings: Settings, context: BusContext) -> Iterator[bytes]:
    """Yield the lines of the journal, wherever it is. OSError or RpcError if it cannot be read."""
    position = 0
    while part := _part(settings, context, position):
        yield from part
        position += sum(map(len, part))


def _part(settings: Settings, context: BusContext, position: int) -> list[bytes]:
    if is_here(JOURNAL, settings):
        return read_part(settings.cdr_path, position)
    endpoint = endpoints_of(settings).ask("journal")
    lines: list[bytes] = call_rpc(endpoint, "record.read", position, ANSWER_WITHIN_S, context)
    return lines


def _midnight(day: str) -> float:
    try:
        return datetime.strptime(day, "%Y-%m-%d").timestamp()
    except ValueError:
        raise ValueError(f"{day!r} is no day such as 2026-11-24") from None


A_PAGE = 100
MAX_SKIP = 100_000
MAX_CSV = 500_000
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
        """The calls that match, the newest first."""
        asked = _asked(request)
        skip = _number(request.query_params.get("skip", ""))
        nothing: tuple[list[CallDetailRecord], bool] = ([], False)
        (records, more), problem = await self._read(asked, lambda found: newest(found, skip, A_PAGE), nothing)
        return self._pages.page(
            request,
            "journal.html",
            records=records,
            asked=asked,
            outcomes=list(Outcome),
            problem=problem,
            query=urlencode({name: text for name, text in asked.items() if text}),
            older=skip + A_PAGE if more else None,
            newer=max(0, skip - A_PAGE) if skip else None,
        )

    async def days(self, request: Request) -> Response:
        """How many calls each day had, and how they ended."""
        asked = _asked(request)
        nothing: list[Day] = []
        days, problem = await self._read(asked, by_day, nothing)
        return self._pages.page(
            request, "days.html", days=days, outcomes=list(Outcome), asked=asked, problem=problem
        )

    async def csv(self, request: Request) -> Response:
        """The calls that match, for a spreadsheet."""
        text, problem = await self._read(_asked(request), _csv, "")
        if problem:
            return Response(f"{problem}\n", 503, media_type="text/plain")
        headers = {"Content-Disposition": 'attachment; filename="journal.csv"'}
        return Response(text, headers=headers, media_type="text/csv; charset=utf-8")

    async def _read(
        self, asked: dict[str, str], answer: Callable[[Iterable[CallDetailRecord]], Answer], nothing: Answer
    ) -> tuple[Answer, str]:
        """What `answer` makes of the records that are asked for, or `nothing` and why."""

        def read() -> Answer:
            matcher = Wanted(**asked).matcher()
            return answer(find(journal_lines(self._settings, self._context), matcher))

        try:
            return await asyncio.to_thread(read), ""
        except ValueError as error:
            return nothing, f"{error}."
        except (OSError, RpcError) as error:
            return nothing, f"The journal cannot be read: {error}."


def _asked(request: Request) -> dict[str, Any]:
    return {name: request.query_params.get(name, "").strip() for name in FIELDS}


def _number(text: str) -> int:
    return min(int(text), MAX_SKIP) if text.isdecimal() else 0


def _csv(records: Iterable[CallDetailRecord]) -> str:
    stream = io.StringIO()
    kept, _ = newest(records, 0, MAX_CSV)
    write_csv(reversed(kept), stream)
    return stream.getvalue()
