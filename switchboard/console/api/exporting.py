"""The operations of the JSON API that give files, and totals of the journal."""

import asyncio
import io
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from starlette.responses import Response

from switchboard.bus.context import BusContext
from switchboard.console.api import models
from switchboard.console.api.operations import GET, Call, Operation
from switchboard.console.api.problems import Problem
from switchboard.console.api.workshop import Workshop
from switchboard.console.call import tell
from switchboard.console.demonstration import CannotPlace, Demonstration
from switchboard.console.journal import Day, by_day, journal_lines
from switchboard.history.export import write
from switchboard.history.ladder import lines_of
from switchboard.history.reader import history_of
from switchboard.history.seen import Direction
from switchboard.journal.record import CallDetailRecord, write_csv
from switchboard.journal.search import NOT_MISSED, Wanted, find
from switchboard.settings.model import Settings

CSV, CAPTURE, TEXT = "text/csv", "application/x-pcapng", "text/plain"
MOST_ROWS = 500_000
"""Of a CSV; of more the last that ended."""
Answer = TypeVar("Answer")


class Exporting:
    """Owns nothing."""

    def __init__(
        self, settings: Settings, context: BusContext, workshop: Workshop, demonstration: Demonstration
    ) -> None:
        self._settings = settings
        self._context = context
        self._run = workshop.run
        self._demonstration = demonstration
        self._history = history_of(settings)

    @property
    def operations(self) -> list[Operation]:
        """All of them."""
        records, gone = models.RecordsQuery, (404,)
        capture, text = "/calls/{call_id}/capture", "/calls/{call_id}/text"
        demonstrates = "Place a demonstration call"
        return [
            Operation("totals", GET, "/journal/totals", "Totals", self.totals, models.Totals, records),
            Operation("csv", GET, "/journal/csv", "Records as CSV", self.csv, query=records, media=CSV),
            Operation(
                "capture", GET, capture, "A call as pcapng", self.capture, media=CAPTURE, problems=gone
            ),
            Operation("text", GET, text, "Account and ladder as text", self.text, media=TEXT, problems=gone),
            Operation(
                "demonstrate",
                "POST",
                "/demonstration",
                demonstrates,
                self.demonstrate,
                models.Demonstrated,
                status=201,
                problems=(409,),
            ),
        ]

    async def totals(self, call: Call) -> models.Totals:
        """How many calls match, how they ended, and how long they were, in all and day by day."""
        days = await self._run(lambda: self._read(call.query, by_day))
        outcomes = sum((each.outcomes for each in days), Counter[str]())
        return models.Totals(
            calls=outcomes.total(),
            missed=outcomes.total() - sum(outcomes[each.value] for each in NOT_MISSED),
            outcomes=dict(outcomes),
            talked_s=round(sum(each.talked_s for each in days), 3),
            days=[_day(each) for each in days],
        )

    async def csv(self, call: Call) -> Response:
        """The records that match, the first that ended first."""
        text = await self._run(lambda: self._read(call.query, _csv))
        return _file(text.encode(), CSV, "journal.csv")

    async def capture(self, call: Call) -> Response:
        """The messages on the wire, for Wireshark and its like."""
        messages = await self._run(lambda: self._history.messages(call.path["call_id"]))
        if not messages:
            raise _unknown()
        stream = io.BytesIO()
        write(stream, (each for each in messages if each.direction is not Direction.HOP))
        return _file(stream.getvalue(), CAPTURE, "call.pcapng")

    async def text(self, call: Call) -> Response:
        """Account and ladder."""
        history, settings, context = self._history, self._settings, self._context
        told = await self._run(lambda: tell(call.path["call_id"], history, settings, context, hops=False))
        if told is None:
            raise _unknown()
        lines = [told.account.text, "", *lines_of(told.ladder), ""]
        return Response("\n".join(lines), media_type=f"{TEXT}; charset=utf-8")

    async def demonstrate(self, call: Call) -> models.Demonstrated:
        """Place a call between two built-in phones; takes two seconds."""
        structlog.get_logger().info("demonstration call", token=call.token.name, source=call.source)
        try:
            call_id = await self._demonstration.call()
        except CannotPlace as error:
            raise Problem(409 if error.is_busy else 503, str(error)) from error
        in_history = await asyncio.to_thread(self._demonstration.is_seen, call_id)
        return models.Demonstrated(call_id=call_id, in_history=in_history)

    def _read(
        self, query: models.RecordsQuery, answer: Callable[[Iterable[CallDetailRecord]], Answer]
    ) -> Answer:
        try:
            matcher = Wanted(**query.model_dump()).matcher()
        except (ValueError, OverflowError, OSError) as error:
            raise Problem(400, f"{error}.") from error
        return answer(find(journal_lines(self._settings, self._context), matcher))


def _csv(records: Iterable[CallDetailRecord]) -> str:
    stream = io.StringIO()
    write_csv(deque(records, MOST_ROWS), stream)
    return stream.getvalue()


def _day(day: Day) -> models.DayTotals:
    return models.DayTotals(
        day=day.day, calls=day.calls, outcomes=dict(day.outcomes), talked_s=round(day.talked_s, 3)
    )


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type=media_type)


def _unknown() -> Problem:
    return Problem(404, "The history has no message of this Call-ID (any more).")
