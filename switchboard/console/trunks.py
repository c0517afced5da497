"""The page of trunks: how each is registered, and a button that tries it now."""

import asyncio

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.pages import Pages
from switchboard.settings.model import Settings
from switchboard.survey.trunks import trunks_of, try_trunk

PATH = "/trunks"
SILENT = (
    "The worker trunks, which registers them, does not answer. Look at Now whether it is up, then try again."
)


class TrunkPage:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages, self._settings, self._context = pages, settings, context
        self.routes = [Route(PATH, self.show), Route(f"{PATH}/try", self.attempt, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """All of them."""
        trunks, problem = [], ""
        try:
            trunks = await asyncio.to_thread(trunks_of, self._settings, self._context)
        except RpcError:
            problem = SILENT
        status = 503 if problem else 200
        return self._pages.page(request, "trunks.html", status, trunks=trunks, problem=problem)

    async def attempt(self, request: Request) -> Response:
        """Register one now."""
        name = str(request.state.form.get("name", ""))
        try:
            done = await asyncio.to_thread(try_trunk, self._settings, self._context, name)
        except RpcError:
            done = False
        structlog.get_logger().info("trunk tried", trunk=name, done=done)
        said = "trunk-tried" if done else "trunk-not-tried"
        return RedirectResponse(f"{PATH}?said={said}", 303)
