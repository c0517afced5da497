"""The console as an ASGI application: all routes are gathered here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from switchboard.bus.context import BusContext
from switchboard.console.access import Access, Rules
from switchboard.console.call import Call
from switchboard.console.failures import Failures
from switchboard.console.journal import Journal
from switchboard.console.login import Login
from switchboard.console.now import Now
from switchboard.console.pages import Pages
from switchboard.console.phones import Phones
from switchboard.console.phrases import Phrases
from switchboard.console.sessions import Sessions
from switchboard.console.watch import Watch
from switchboard.metrics import routes as metrics
from switchboard.settings.model import Settings


def make_app(settings: Settings, context: BusContext, key: bytes) -> Starlette:
    """Return the application. `key` signs the sessions; `context` must outlive the application."""
    rules = Rules.of(settings)
    sessions = Sessions(key, settings.console_password, is_secure=settings.console_url.startswith("https:"))
    pages = Pages.make(sessions, rules)
    watch = Watch(settings, context)
    routes: list[BaseRoute] = [
        *Now(pages, watch, settings, context).routes,
        *Journal(pages, settings, context).routes,
        *Call(pages, settings, context).routes,
        *Failures(pages, settings, context).routes,
        *Phones(pages, settings, context).routes,
        *Phrases(pages, settings).routes,
        *Login(pages, settings.console_password).routes,
        *metrics.routes(settings),
        Mount("/static", StaticFiles(packages=[("switchboard.console", "static")])),
    ]

    @asynccontextmanager
    async def watching(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(watch.run())
        yield
        task.cancel()

    async def not_found(request: Request, _error: Exception) -> Response:
        return pages.page(request, "missing.html", 404)

    return Starlette(
        routes=routes,
        middleware=[*_proxy(settings), Middleware(Access, sessions=sessions, rules=rules)],
        exception_handlers={404: not_found},
        lifespan=watching,
    )


def _proxy(settings: Settings) -> list[Middleware]:
    """A proxy on this machine is believed when it tells for whom it asks (X-Forwarded-For)."""
    if not settings.console_url:
        return []
    return [Middleware(ProxyHeadersMiddleware, trusted_hosts=["127.0.0.1", "::1"])]
