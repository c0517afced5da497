"""The page Journal: the calls that have ended; search, totals a day, CSV."""

import asyncio
import io
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.pages import Pages
from switchboard.console.records import Day, Wanted, by_day, find, journal_lines, newest
from switchboard.journal.record import CallDetailRecord, Outcome, write_csv
from switchboard.settings.model import Settings

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
