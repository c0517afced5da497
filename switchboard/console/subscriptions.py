"""The page of subscriptions: who watches whom, and a button that ends one."""

import asyncio
from functools import partial
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.pages import Pages
from switchboard.console.searching import search
from switchboard.settings.model import Settings
from switchboard.survey.subscriptions import (
    end_subscription,
    has_subscriptions,
    subscription_page,
)

PATH = "/subscriptions"
SILENT = (
    "The worker presence, which has the subscriptions, does not answer. "
    "Look at Now whether it is up, then try again."
)


class Subscriptions:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages, self._settings, self._context = pages, settings, context
        self.routes = [Route(PATH, self.show), Route(f"{PATH}/end", self.end, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """Those that a search finds, the oldest first."""
        find = partial(subscription_page, self._settings, self._context)
        rows, said = await search(request, PATH, find, SILENT)
        return self._pages.page(
            request,
            "subscriptions.html",
            503 if said["problem"] else 200,
            is_on=has_subscriptions(self._settings),
            subscriptions=rows,
            **said,
        )

    async def end(self, request: Request) -> Response:
        """End one."""
        tag, text = (str(request.state.form.get(name, ""))[:256] for name in ("tag", "text"))
        try:
            done = await asyncio.to_thread(end_subscription, self._settings, self._context, tag)
        except RpcError:
            done = False
        structlog.get_logger().info("subscription ended by the console", tag=tag, done=done)
        said = "unsubscribed" if done else "not-unsubscribed"
        return RedirectResponse(f"{PATH}?{urlencode({'text': text, 'said': said})}", 303)
