"""The page of registrations that failed, each kind explained once."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.auth.failures import advise, describe
from switchboard.bus.context import BusContext
from switchboard.console.pages import Pages
from switchboard.history.failures import FailedRegistrations, failed_registrations
from switchboard.history.place import place_of
from switchboard.history.reader import history_of
from switchboard.history.store import HistoryError
from switchboard.settings.model import Settings
from switchboard.survey.ask import ask_parents, failing_phones

SHOWN = 50
"""Groups at most."""


class Failures:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages = pages
        self._settings = settings
        self._context = context
        self._history = history_of(settings)
        self.routes = [Route("/registrations", self.show)]

    async def show(self, request: Request) -> Response:
        """The latest kinds, of a user or of all."""
        user = request.query_params.get("user", "").strip()
        problem, failures = "", list[FailedRegistrations]()
        try:
            failures = await asyncio.to_thread(self._read, user)
        except HistoryError as error:
            problem = str(error)
        failing = await asyncio.to_thread(failing_advice, self._settings, self._context, user)
        return self._pages.page(
            request,
            "failures.html",
            user=user,
            failures=failures,
            failing=failing,
            problem=problem,
        )

    def _read(self, user: str) -> list[FailedRegistrations]:
        place = place_of(self._settings, self._context)
        return failed_registrations(self._history, place, user)[:SHOWN]


def failing_advice(settings: Settings, context: BusContext, user: str) -> list[tuple[str, str]]:
    """What phones that keep failing to prove a password do, and what may help; of a user, or "" for all."""
    if settings.auth == "off":
        return []
    found = failing_phones(settings, context, ask_parents(context, settings))
    return [
        (describe(each), advise(each, settings.algorithms_of(each.user)))
        for each in found
        if user in ("", each.user)
    ]
