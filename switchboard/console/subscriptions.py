"""The page of subscriptions: who watches whom, and a button that ends one."""

import asyncio
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.flows import skip_of
from switchboard.console.pages import Pages
from switchboard.settings.model import Settings
from switchboard.survey.subscriptions import (
    SubscriptionPage,
    end_subscription,
    has_subscriptions,
    subscription_page,
)

PATH = "/subscriptions"
A_PAGE = 100
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
        text, skip = request.query_params.get("text", "").strip()[:256], skip_of(request)
        found, problem = SubscriptionPage([], 0, 0), ""
        try:
            found = await asyncio.to_thread(
                subscription_page, self._settings, self._context, text, skip, A_PAGE
            )
        except RpcError:
            problem = SILENT
        end = skip + len(found.subscriptions)
        return self._pages.page(
            request,
            "subscriptions.html",
            503 if problem else 200,
            text=text,
            problem=problem,
            is_on=has_subscriptions(self._settings),
            first=skip + 1,
            last=end,
            newer=_link(text, max(0, skip - A_PAGE)) if skip else "",
            older=_link(text, end) if skip < end < found.found else "",
            subscriptions=found.subscriptions,
            found=found.found,
            total=found.total,
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


def _link(text: str, skip: int) -> str:
    return f"{PATH}?{urlencode({'text': text, 'skip': skip})}"
