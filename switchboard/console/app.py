"""The console as an ASGI application with the metrics beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from switchboard.auth.api_tokens import ApiTokens
from switchboard.bus.context import BusContext
from switchboard.console.access import Access, Rules
from switchboard.console.api.app import Api
from switchboard.console.api.changing import Changing
from switchboard.console.api.exporting import Exporting
from switchboard.console.api.following import Following
from switchboard.console.api.gate import Gate
from switchboard.console.api.reading import Reading
from switchboard.console.api.ruling import Ruling
from switchboard.console.api.workshop import Workshop
from switchboard.console.authority import Authority
from switchboard.console.call import CallPage
from switchboard.console.connections import PROXIES
from switchboard.console.demonstration import Demonstration
from switchboard.console.ended import EndedSessions
from switchboard.console.failures import Failures
from switchboard.console.feed import Feed
from switchboard.console.flows import Flows
from switchboard.console.journal import Journal
from switchboard.console.login import Login
from switchboard.console.now import Now
from switchboard.console.pages import Pages
from switchboard.console.people import People
from switchboard.console.phones import Phones
from switchboard.console.phrases import Phrases
from switchboard.console.recent import RecentReader
from switchboard.console.rules import Groups, OwnPage
from switchboard.console.sessions import LIFETIME_S, Sessions
from switchboard.console.sip_socket import SipSocket
from switchboard.console.softphone import Softphone
from switchboard.console.streams import Streams
from switchboard.console.subscriptions import Subscriptions
from switchboard.console.trunks import TrunkPage
from switchboard.console.users import Users
from switchboard.console.watch import Watch
from switchboard.metrics.exposition import Exposition
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of

T = TypeVar("T")


class Shared(Generic[T]):
    """What takes a while is done once for all who ask meanwhile, so that asking often costs nothing more."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._found: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """What `find` returns, on a thread of its own."""
        if self._found is None or self._found.done():
            self._found = asyncio.ensure_future(run_in_threadpool(self._find))
        return await asyncio.shield(self._found)


def metrics_routes(settings: Settings) -> list[Route]:
    """What to mount. Nobody waits for others here: see `Shared`."""
    exposition = Exposition(settings)
    text, survey = Shared(exposition.text), Shared(exposition.survey)

    async def metrics(_request: Request) -> Response:
        return Response(await text.get(), media_type=CONTENT_TYPE_LATEST)

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        not_up = (await survey.get()).not_up()
        return JSONResponse({"ready": not not_up, "not_up": not_up}, 503 if not_up else 200)

    return [Route("/metrics", metrics), Route("/healthz", healthy), Route("/readyz", ready)]


def make_app(settings: Settings, context: BusContext, key: bytes) -> Starlette:
    """Return the application. `key` signs the sessions; `context` must outlive the application."""
    rules = Rules.of(settings)
    clock = clock_of(settings)
    sessions = Sessions(
        key,
        settings.console_password,
        is_secure=settings.console_url.startswith("https:"),
        ended=EndedSessions(settings.console_ended_path, LIFETIME_S, clock.at()),
        clock=clock.at,
    )
    streams = Streams(sessions)
    recent = RecentReader(settings, context)
    pages = Pages.make(sessions, rules, recent.badges)
    watch = Watch(settings, context, recent)
    people = People(settings, context, key, clock.at)
    demonstration = Demonstration(settings, people)
    feed = Feed(settings, context)
    api = make_api(settings, context, watch, people, demonstration, feed)
    routes: list[BaseRoute] = [
        *Now(pages, streams, watch, settings, context).routes,
        *Journal(pages, settings, context).routes,
        *CallPage(pages, streams, settings, context).routes,
        *Failures(pages, settings, context).routes,
        *Users(pages, settings, people).routes,
        *Groups(pages, people).routes,
        *OwnPage(pages, people).routes,
        *Flows(pages, settings, context).routes,
        *Subscriptions(pages, settings, context).routes,
        *TrunkPage(pages, settings, context).routes,
        *Phones(pages, settings, people).routes,
        *Softphone(pages, settings).routes,
        *SipSocket(settings).routes,
        *Authority(pages, settings).routes,
        *demonstration.routes,
        *Phrases(pages, settings).routes,
        *Login(pages, settings.console_password).routes,
        *metrics_routes(settings),
        Mount("/static", StaticFiles(packages=[("switchboard.console", "static")])),
    ]

    @asynccontextmanager
    async def watching(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(watch.run()), asyncio.create_task(_keep_saved(sessions.ended))]
        yield
        for task in tasks:
            task.cancel()

    async def not_found(request: Request, _error: Exception) -> Response:
        return pages.page(request, "missing.html", 404)

    return Starlette(
        routes=routes,
        middleware=[*_proxy(settings), Middleware(Access, sessions=sessions, rules=rules, api=api)],
        exception_handlers={404: not_found},
        lifespan=watching,
    )


def make_api(
    settings: Settings,
    context: BusContext,
    watch: Watch,
    people: People,
    demonstration: Demonstration,
    feed: Feed,
) -> Api:
    """The JSON API (docs/API.md)."""
    workshop = Workshop()
    reading = Reading(settings, context, watch, people, workshop)
    changing = Changing(settings, context, people, workshop)
    exporting = Exporting(settings, context, workshop, demonstration)
    tokens = ApiTokens(settings.api_tokens_path)
    following = Following(feed, tokens)
    ruling = Ruling(people, workshop)
    reads = [*reading.operations, *exporting.operations, *following.operations]
    return Api(Gate(tokens), [*reads, *changing.operations, *ruling.operations])


SAVE_AGAIN_S = 5.0


async def _keep_saved(ended: EndedSessions) -> None:
    """What could not be written when it happened is written as soon as it can be."""
    while True:
        with suppress(OSError):
            await asyncio.to_thread(ended.save)
        await asyncio.sleep(SAVE_AGAIN_S)


def _proxy(settings: Settings) -> list[Middleware]:
    """A proxy on this machine is believed when it tells for whom it asks (X-Forwarded-For)."""
    if not settings.console_url:
        return []
    return [Middleware(ProxyHeadersMiddleware, trusted_hosts=list(PROXIES))]
