"""The page of the connections of phones over TCP, TLS and WebSocket."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.console.pages import Pages
from switchboard.console.searching import search
from switchboard.settings.model import Settings
from switchboard.sip.flow import format_hop
from switchboard.survey.connections import connection_page

PATH = "/connections"
SILENT = "An edge-stream, which has the connections, does not answer. Look at Now whether it is up, then try again."


class Flows:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages, self._settings, self._context = pages, settings, context
        self.routes = [Route(PATH, self.show)]

    async def show(self, request: Request) -> Response:
        """Those that a search finds, the oldest of each worker first."""
        find = partial(connection_page, self._settings, self._context)
        rows, said = await search(request, PATH, find, SILENT)
        return self._pages.page(
            request,
            "connections.html",
            503 if said["problem"] else 200,
            connections=[{**each, "source": format_hop(each["host"], each["port"])} for each in rows],
            **said,
        )
