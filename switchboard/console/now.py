"""The console's first page: how the switchboard is now."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.context import BusContext
from switchboard.cli.lab import OURS
from switchboard.console.pages import Pages, event, rate, user_of
from switchboard.console.restarting import owners, restart
from switchboard.console.streams import Streams
from switchboard.console.users import phone_settings
from switchboard.console.watch import SHOWN_ROWS, SPAN_S, Look, Watch
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.storage.mending import all_reports

WIDTH, HEIGHT, PADDING = 240.0, 48.0, 2.0


@dataclass(frozen=True, slots=True)
class Chart:
    """Points of the line, and of the area below it, in a box of WIDTH x HEIGHT; `top`: the scale's end."""

    line: str
    area: str
    top: float
    latest: float


def draw(values: Sequence[tuple[float, float]], span_s: float) -> Chart:
    """Draw at least one value, each with its instant, the latest at the right edge; the width is `span_s`."""
    until = values[-1][0]
    top = max(1.0, *(value for _, value in values))
    across = [WIDTH * (1 - (until - at) / span_s) for at, _ in values]
    up = [HEIGHT - PADDING - value / top * (HEIGHT - 2 * PADDING) for _, value in values]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))
    return Chart(line, f"{across[0]:.1f},{HEIGHT:.0f} {line} {WIDTH:.0f},{HEIGHT:.0f}", top, values[-1][1])


SECTIONS = ("start", "today", "calls", "latest", "phones", "workers", "figures")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its course over the last minutes."""

    name: str
    value: float | None
    chart: Chart
    is_rate: bool
    note: str = ""
    unit: str = ""


class Now:
    """Owns the page and its stream of news."""

    def __init__(
        self, pages: Pages, streams: Streams, watch: Watch, settings: Settings, context: BusContext
    ) -> None:
        self._pages = pages
        self._streams = streams
        self._watch = watch
        self._settings = settings
        self._context = context
        self.routes = [
            Route("/", self.show),
            Route("/now/events", self.events),
            Route("/restart", self.restart, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The whole page."""
        look = await self._watch.latest()
        return self._pages.page(request, "now.html", **await self._around(request), **self._values(look))

    async def events(self, request: Request) -> Response:
        """Server-sent events, named as the section that each replaces."""
        token = self._pages.sessions.csrf_token(request.state.session)
        around = {"csrf": token, **await self._around(request)}
        return self._streams.open(request, self._news(around))

    async def _around(self, request: Request) -> dict[str, Any]:
        """What is the same in each look of one browser."""
        browser = request.client.host if request.client else ""
        console = request.headers.get("host", "")
        to_type = await asyncio.to_thread(phone_settings, self._settings, browser, console)
        return {"to_type": to_type, "has_passwords": self._settings.auth == "on"}

    async def restart(self, request: Request) -> Response:
        """Restart one worker; the page comes back when the new one is ready."""
        wanted = str(request.state.form.get("worker", ""))
        known = owners(self._settings)
        if wanted not in known:
            return Response("There is no such worker.\n", 404)
        who = request.client.host if request.client else ""
        structlog.get_logger().info("restart asked for", worker_wanted=wanted, source=who)
        done = await asyncio.to_thread(restart, self._settings, self._context, wanted)
        if known[wanted] is Component.CONSOLE:
            return RedirectResponse("/?said=restarting", 303)
        return RedirectResponse(f"/?said={'restarted' if done else 'not-restarted'}", 303)

    async def _news(self, around: Mapping[str, Any]) -> AsyncGenerator[str, None]:
        sent: dict[str, str] = {}
        async with aclosing(self._watch.follow()) as looks:
            async for look in looks:
                values = {**around, **self._values(look)}
                for section in SECTIONS:
                    html = self._pages.part(f"now/{section}.html", **values)
                    if sent.get(section) != html:
                        sent[section] = html
                        yield event(section, html)
                yield ": \n\n"

    def _values(self, look: Look) -> dict[str, Any]:
        calls = None if look.calls is None else look.calls[:SHOWN_ROWS]
        return {
            "is_empty": _is_empty(look),
            "recent": look.recent,
            "figures": figures(self._watch.looks),
            "calls": calls,
            "more_calls": len(look.calls or ()) - len(calls or ()),
            "phones": look.phones,
            "more_phones": max(0, look.moment.bindings - len(look.phones or ())),
            "workers": look.moment.workers,
            "damaged": all_reports(self._settings.data_dir),
            "at": look.at,
        }


def _is_empty(look: Look) -> bool:
    """Whether no phone of anybody was here yet; demonstration calls do not count."""
    latest = (user_of(each.record.caller) for each in look.recent.latest)
    return not (look.calls or look.phones) and all(caller.startswith(OURS) for caller in latest)


def figures(looks: Iterable[Look]) -> list[Figure]:
    """The numbers at the top of the page."""
    kept = list(looks)
    moments = [look.moment for look in kept]

    def figure(name: str, values: list[float], is_rate: bool = False, note: str = "") -> Figure:
        course = [(look.at, value) for look, value in zip(kept, values, strict=True)]
        return Figure(name, values[-1], draw(course, SPAN_S), is_rate, note)

    def responses(*classes: str) -> list[float]:
        return [sum(each.rates.responses_s.get(name, 0.0) for name in classes) for each in moments]

    def delay() -> Figure:
        course = [(each.at, 1000 * each.answer_s) for each in kept if each.answer_s is not None]
        latest_s = kept[-1].answer_s
        chart = draw([*course] or [(kept[-1].at, 0.0)], SPAN_S)
        note = f"for an OPTIONS, up to {rate(chart.top)} ms" if course else "no answer to an OPTIONS"
        return Figure("Added delay", None if latest_s is None else 1000 * latest_s, chart, True, note, "ms")

    latest = moments[-1]
    up = sum(call["state"] == "up" for call in latest.calls)
    return [
        figure(
            "Calls now",
            [each.past_calls or len(each.moment.calls) for each in kept],
            note=f"{up} up, {len(latest.calls) - up} not yet",
        ),
        figure("Registered phones", [each.bindings for each in moments], note=_users(latest.users)),
        figure("Calls a second", [each.rates.calls_s for each in moments], True),
        figure("Registrations a second", [each.rates.registers_s for each in moments], True),
        figure("Datagrams a second", [each.rates.received_s + each.rates.sent_s for each in moments], True),
        figure("Successes a second", responses("2xx"), True, "2xx responses"),
        figure("Refusals a second", responses("4xx", "5xx", "6xx"), True, "4xx, 5xx and 6xx responses"),
        delay(),
    ]


def _users(count: int) -> str:
    return f"of {count} user{'' if count == 1 else 's'}"
