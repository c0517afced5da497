"""The console as an ASGI application with the metrics beside it, and the thread that serves it."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from switchboard.bus.context import BusContext
from switchboard.console.access import Access, Rules, Sessions
from switchboard.console.call import CallPage
from switchboard.console.failures import Failures
from switchboard.console.journal import Journal
from switchboard.console.login import Login
from switchboard.console.now import Now
from switchboard.console.pages import Pages
from switchboard.console.phones import Phones
from switchboard.console.phrases import Phrases
from switchboard.console.watch import Watch
from switchboard.metrics.exposition import Exposition
from switchboard.settings.model import Settings


def metrics_routes(settings: Settings) -> list[Route]:
    """What to mount. The functions ask and wait: Starlette runs them on threads of their own."""
    exposition = Exposition(settings)

    def metrics(_request: Request) -> Response:
        return Response(exposition.text(), media_type=CONTENT_TYPE_LATEST)

    def ready(_request: Request) -> Response:
        not_up = exposition.survey().not_up()
        return JSONResponse({"ready": not not_up, "not_up": not_up}, 503 if not_up else 200)

    return [
        Route("/metrics", metrics),
        Route("/healthz", lambda _request: PlainTextResponse("ok\n")),
        Route("/readyz", ready),
    ]


MAX_CONNECTIONS = 200
END_S = 1
ANSWERS_WITHIN_S = 10.0


class Server:
    """uvicorn in a thread; `alive` tells whether its loop still turns."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=END_S,
        )
        self._server = uvicorn.Server(config)
        self._sock = sock
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it serves, and has not hung for ANSWERS_WITHIN_S."""
        return self._thread.is_alive() and time.monotonic() < self._beat + ANSWERS_WITHIN_S

    def stop(self) -> None:
        """Close the connections and end."""
        self._server.should_exit = True
        self._thread.join(2 * END_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        beating = asyncio.create_task(self._beat_on())
        await self._server.serve(sockets=[self._sock])
        beating.cancel()

    async def _beat_on(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1.0)


def make_app(settings: Settings, context: BusContext, key: bytes) -> Starlette:
    """Return the application. `key` signs the sessions; `context` must outlive the application."""
    rules = Rules.of(settings)
    sessions = Sessions(key, settings.console_password, is_secure=settings.console_url.startswith("https:"))
    pages = Pages.make(sessions, rules)
    watch = Watch(settings, context)
    routes: list[BaseRoute] = [
        *Now(pages, watch, settings, context).routes,
        *Journal(pages, settings, context).routes,
        *CallPage(pages, settings, context).routes,
        *Failures(pages, settings, context).routes,
        *Phones(pages, settings, context).routes,
        *Phrases(pages, settings).routes,
        *Login(pages, settings.console_password).routes,
        *metrics_routes(settings),
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
