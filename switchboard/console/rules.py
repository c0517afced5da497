"""The console's pages of rules: groups, for the operator; the own rules, for a user with a link."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.rpc import RpcError
from switchboard.console.bad_user import BadUser
from switchboard.console.own_links import user_named
from switchboard.console.pages import Pages
from switchboard.console.people import People, Person, why_not
from switchboard.console.rule_desk import (
    NEW_GROUP,
    Ruled,
    changes_of,
    seconds_of,
    shown_again,
    typed_group,
    typed_rules,
    words_of,
)
from switchboard.registrar.rule_words import WAYS
from switchboard.registrar.store import StoreError

NO_LINK = "This link is not valid (any more). Ask who runs the switchboard for another one."


class Groups:
    """Owns the page of groups."""

    def __init__(self, pages: Pages, people: People) -> None:
        self._pages = pages
        self._rules = people.rules
        self.routes = [
            Route("/groups", self.show),
            Route("/groups/save", self.save, methods=["POST"]),
            Route("/groups/delete", self.delete, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All groups, and a form for a new one."""
        return await self._page(request)

    async def save(self, request: Request) -> Response:
        """A new group, or another one of that name."""
        form = request.state.form
        name = str(form.get("name", "")).strip()
        try:
            changes = {
                "members": words_of(form.get("members", "")),
                "way": str(form.get("way", "all")),
                "after_s": seconds_of(form),
                "then": str(form.get("then", "")).strip(),
            }
            saved = await asyncio.to_thread(self._rules.put_group, name, changes)
        except (BadUser, RpcError) as error:
            return await self._page(
                request, why_not(error), _status(error), typed=Ruled(name, typed_group(form))
            )
        _log(request, "group changed", group=name)
        return await self._page(request, notes=saved.notes, done=f"The group {name} is saved.")

    async def delete(self, request: Request) -> Response:
        """A group less."""
        name = str(request.state.form.get("name", "")).strip()
        try:
            notes = await asyncio.to_thread(self._rules.delete_group, name)
        except (BadUser, RpcError) as error:
            return await self._page(request, why_not(error), _status(error))
        _log(request, "group deleted", group=name)
        return await self._page(request, notes=notes, done=f"The group {name} is deleted.")

    async def _page(
        self,
        request: Request,
        problem: str = "",
        status: int = 200,
        notes: Sequence[str] = (),
        done: str = "",
        typed: Ruled | None = None,
    ) -> Response:
        """`typed`: what was refused, to be shown again."""
        groups: list[Ruled] = []
        try:
            groups = await asyncio.to_thread(self._rules.groups)
        except RpcError as error:
            problem, status = problem or why_not(error), 503
        return self._pages.page(
            request,
            "groups.html",
            status,
            groups=[typed if typed and typed.name == each.name else each for each in groups],
            new=typed if typed and typed.name not in {each.name for each in groups} else NEW_GROUP,
            ways=WAYS,
            problem=problem,
            notes=notes,
            done=done,
        )


class OwnPage:
    """Owns the page that a link opens: one user's rules, and nobody else's."""

    def __init__(self, pages: Pages, people: People) -> None:
        self._pages = pages
        self._people = people
        self.routes = [
            Route("/own/{token}", self.show),
            Route("/own/{token}", self.save, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The rules of the user whose link it is."""
        try:
            person = await asyncio.to_thread(self._person, request)
        except (BadUser, RpcError, StoreError) as error:
            return self._refused(request, error)
        return await self._page(request, person, done="saved" in request.query_params)

    async def save(self, request: Request) -> Response:
        """Other rules of that user."""
        try:
            person = await asyncio.to_thread(self._person, request)
        except (BadUser, RpcError, StoreError) as error:
            return self._refused(request, error)
        try:
            await asyncio.to_thread(self._people.rules.change, person.user, changes_of(request.state.form))
        except (BadUser, RpcError) as error:
            typed = typed_rules(request.state.form)
            return await self._page(request, person, why_not(error), _status(error), typed=typed)
        _log(request, "user has other rules, by the own link", user=person.user)
        return RedirectResponse(f"/own/{request.path_params['token']}?saved", 303)

    def _person(self, request: Request) -> Person:
        """Whose link it is. BadUser."""
        token = request.path_params["token"]
        user = user_named(token)
        person = self._people.one(user) if user else None
        if person is None or not self._people.links.is_link(token, user, person.password_set_at):
            raise BadUser(NO_LINK, 404)
        return person

    def _refused(self, request: Request, error: Exception) -> Response:
        problem = str(error) if isinstance(error, BadUser) else why_not(error)
        return self._pages.page(
            request,
            "own.html",
            _status(error),
            is_own=True,
            person=None,
            ruled=None,
            problem=problem,
            done=False,
        )

    async def _page(
        self,
        request: Request,
        person: Person,
        problem: str = "",
        status: int = 200,
        done: bool = False,
        typed: Mapping[str, Any] | None = None,
    ) -> Response:
        """`typed`: what was refused, to be shown again."""
        ruled = None
        try:
            ruled = shown_again(await asyncio.to_thread(self._people.rules.of, person.user), typed)
        except (BadUser, RpcError) as error:
            problem, status = problem or why_not(error), 503
        return self._pages.page(
            request,
            "own.html",
            status,
            is_own=True,
            person=person,
            ruled=ruled,
            problem=problem,
            done=done,
        )


def _status(error: Exception) -> int:
    return error.status if isinstance(error, BadUser) else 503


def _log(request: Request, what: str, **more: str) -> None:
    structlog.get_logger().info(what, source=request.client.host if request.client else "", **more)
