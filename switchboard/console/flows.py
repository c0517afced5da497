"""The page of the connections of phones over TCP, TLS and WebSocket."""

import asyncio
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.pages import Pages
from switchboard.settings.model import Settings
from switchboard.sip.flow import format_hop
from switchboard.survey.connections import ConnectionPage, connection_page

PATH = "/connections"
A_PAGE = 100
MAX_SKIP = 1_000_000
SILENT = "An edge-stream, which has the connections, does not answer. Look at Now whether it is up, then try again."


class Flows:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages, self._settings, self._context = pages, settings, context
        self.routes = [Route(PATH, self.show)]

    async def show(self, request: Request) -> Response:
        """Those that a search finds, the oldest of each worker first."""
        text, skip = request.query_params.get("text", "").strip()[:256], skip_of(request)
        found, problem = ConnectionPage([], 0, 0), ""
        try:
            found = await asyncio.to_thread(
                connection_page, self._settings, self._context, text, skip, A_PAGE
            )
        except RpcError:
            problem = SILENT
        end = skip + len(found.connections)
        return self._pages.page(
            request,
            "connections.html",
            503 if problem else 200,
            text=text,
            problem=problem,
            first=skip + 1,
            last=end,
            newer=_link(text, max(0, skip - A_PAGE)) if skip else "",
            older=_link(text, end) if skip < end < found.found else "",
            connections=[
                {**each, "source": format_hop(each["host"], each["port"])} for each in found.connections
            ],
            found=found.found,
            total=found.total,
        )


def _link(text: str, skip: int) -> str:
    return f"{PATH}?{urlencode({'text': text, 'skip': skip})}"


def skip_of(request: Request) -> int:
    """How many rows stand before those of the page that is asked for."""
    text = request.query_params.get("skip", "")
    return min(int(text), MAX_SKIP) if text.isascii() and text.isdigit() else 0
