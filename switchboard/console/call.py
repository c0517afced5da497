"""The page of one call: what happened, the ladder, each message; live while it runs."""

import asyncio
import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.call_view import arrange, view_message
from switchboard.console.decisive import decisive
from switchboard.console.pages import Pages, event
from switchboard.console.streams import Streams
from switchboard.history.account import Account
from switchboard.history.ending import end_call
from switchboard.history.endings import CannotEnd
from switchboard.history.explain import explain
from switchboard.history.export import write
from switchboard.history.ladder import Ladder, draw, lines_of
from switchboard.history.place import place_of
from switchboard.history.reader import HistoryReader, history_of
from switchboard.history.seen import Direction, Seen
from switchboard.history.store import HistoryError
from switchboard.history.summary import Summary, SummaryKind
from switchboard.settings.model import Settings

LOOK_S = 1.0
SETTLED_S = 35.0
"""After its last message a call that has ended is looked at for so long: retransmissions end after 32 s."""
MAX_DRAWN = 400
GOING_ON = frozenset({"calling", "ringing", "up", "open"})


@dataclass(frozen=True, slots=True)
class Told:
    """What the history tells of one Call-ID."""

    summary: Summary
    messages: Sequence[Seen]
    ladder: Ladder
    account: Account

    @property
    def outcome(self) -> str:
        """As the journal says it, where it is a call."""
        return self.account.outcome or self.summary.outcome

    @property
    def has_workers(self) -> bool:
        """Whether the history has what the workers told each other."""
        return any(each.direction is Direction.HOP for each in self.messages)

    @property
    def is_call_going_on(self) -> bool:
        """Whether it is a call that can be hung up."""
        return self.summary.kind is SummaryKind.CALL and self.is_going_on

    @property
    def is_going_on(self) -> bool:
        """Whether more is to be expected."""
        return self.summary.outcome in GOING_ON


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a page asks for. `message`: its number, 0: none."""

    call_id: str
    workers: bool
    message: int

    @classmethod
    def of(cls, request: Request) -> "Asked":
        """As the query says."""
        query = request.query_params
        number = query.get("message", "")
        return cls(
            query.get("call_id", ""),
            query.get("workers") == "1",
            int(number) if number.isdecimal() and len(number) < 6 else 0,
        )

    def url(self, page: str = "/call", message: int = 0, workers: bool | None = None) -> str:
        """The address of another page of this call."""
        shown = self.workers if workers is None else workers
        query = f"call_id={quote(self.call_id, safe='')}"
        return f"{page}?{query}{'&workers=1' if shown else ''}{f'&message={message}' if message else ''}"


def tell(
    call_id: str, history: HistoryReader, settings: Settings, context: BusContext, *, hops: bool
) -> Told | None:
    """What the history has of a Call-ID; None if nothing. HistoryError. `hops`: between workers, too."""
    summary = history.summary(call_id)
    messages = history.messages(call_id)
    if summary is None or not messages:
        return None
    ladder = draw(messages[:MAX_DRAWN], hops=hops)
    return Told(summary, messages, ladder, explain(messages, place_of(settings, context)))


class CallPage:
    """Owns the pages of a call."""

    def __init__(self, pages: Pages, streams: Streams, settings: Settings, context: BusContext) -> None:
        self._pages = pages
        self._streams = streams
        self._settings = settings
        self._context = context
        self._history = history_of(settings)
        self.routes = [
            Route("/call", self.show),
            Route("/call/message", self.message),
            Route("/call/events", self.events),
            Route("/call/hangup", self.hang_up, methods=["POST"]),
            Route("/call.pcapng", self.capture),
            Route("/call.txt", self.text),
        ]

    async def show(self, request: Request) -> Response:
        """The whole page."""
        asked = Asked.of(request)
        try:
            told = await self._read(asked)
        except HistoryError as error:
            return self._pages.page(request, "no_call.html", 503, asked=asked, why=str(error))
        if told is None:
            why = "The history has no message of it: it was before the history, or is no longer kept."
            return self._pages.page(request, "no_call.html", 404, asked=asked, why=why)
        token = self._pages.sessions.csrf_token(request.state.session)
        return self._pages.page(request, "call.html", **self._values(asked, told, token))

    async def message(self, request: Request) -> Response:
        """One message, for a page that is open."""
        asked = Asked.of(request)
        told = await self._told(asked)
        shown = view_message(told.ladder, asked.message) if told else None
        if shown is None:
            return Response("There is no such message.\n", 404)
        return Response(
            self._pages.part("call/message.html", shown=shown, asked=asked), media_type="text/html"
        )

    async def events(self, request: Request) -> Response:
        """Server-sent events: account and ladder as they grow."""
        token = self._pages.sessions.csrf_token(request.state.session)
        return self._streams.open(request, self._news(Asked.of(request), token))

    async def hang_up(self, request: Request) -> Response:
        """End the call; the page comes back, or says why that cannot be done."""
        asked = Asked(str(request.state.form.get("call_id", "")), False, 0)
        who = request.client.host if request.client else ""
        structlog.get_logger().info("hang-up asked for", call_id=asked.call_id, source=who)
        try:
            ended = await asyncio.to_thread(
                end_call, asked.call_id, self._history, self._settings, self._context
            )
        except (CannotEnd, HistoryError, RpcError) as error:
            status = 409 if isinstance(error, CannotEnd) else 503
            return self._pages.page(request, "not_hung_up.html", status, asked=asked, why=str(error))
        if ended.not_told:
            structlog.get_logger().warning("hung up partly", call_id=asked.call_id, why=list(ended.not_told))
        return RedirectResponse(asked.url() + f"&said=hung-up{'-partly' if ended.not_told else ''}", 303)

    async def capture(self, request: Request) -> Response:
        """The messages on the wire, for Wireshark and its like."""
        told = await self._told(Asked.of(request))
        if told is None:
            return Response("The history has no such call.\n", 404)
        stream = io.BytesIO()
        write(stream, (each for each in told.messages if each.direction is not Direction.HOP))
        headers = {"Content-Disposition": 'attachment; filename="call.pcapng"'}
        return Response(stream.getvalue(), headers=headers, media_type="application/x-pcapng")

    async def text(self, request: Request) -> Response:
        """Account and ladder as text."""
        told = await self._told(Asked.of(request))
        if told is None:
            return Response("The history has no such call.\n", 404)
        lines = [told.account.text, "", *lines_of(told.ladder), ""]
        return Response("\n".join(lines), media_type="text/plain; charset=utf-8")

    async def _told(self, asked: Asked) -> Told | None:
        try:
            return await self._read(asked)
        except HistoryError:
            return None

    async def _read(self, asked: Asked) -> Told | None:
        return await asyncio.to_thread(
            tell, asked.call_id, self._history, self._settings, self._context, hops=asked.workers
        )

    async def _news(self, asked: Asked, token: str) -> AsyncGenerator[str, None]:
        count, quiet_s = 0, 0.0
        while quiet_s < SETTLED_S:
            told = await self._told(asked)
            if told and len(told.messages) != count:
                count, quiet_s = len(told.messages), 0.0
                values = self._values(asked, told, token)
                for section in ("account", "ladder"):
                    yield event(section, self._pages.part(f"call/{section}.html", **values))
            else:
                yield ": \n\n"
                quiet_s += 0.0 if told and told.is_going_on else LOOK_S
            await asyncio.sleep(LOOK_S)
        yield event("done", "")

    def _values(self, asked: Asked, told: Told, token: str) -> dict[str, Any]:
        return {
            "hang_up_token": token,
            "asked": asked,
            "told": told,
            "view": arrange(told.ladder),
            "left_out": max(0, len(told.messages) - MAX_DRAWN),
            "shown": view_message(told.ladder, asked.message or decisive(told.ladder)),
        }
