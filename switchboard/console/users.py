"""The console's pages of users and phones: who may register, with which phones, and what to type into a phone."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.rpc import RpcError
from switchboard.console.authority import authority_url
from switchboard.console.bad_user import BadUser
from switchboard.console.own_links import LIFETIME_S
from switchboard.console.pages import Pages, qr_code
from switchboard.console.people import People, Person, why_not
from switchboard.console.provisioning import offered_transports
from switchboard.console.rule_desk import Ruled, changes_of, shown_again, typed_rules
from switchboard.registrar.store import StoreError
from switchboard.settings.local import SourceAddresses
from switchboard.settings.model import Settings
from switchboard.settings.types import show_address
from switchboard.sip.flow import bracketed
from switchboard.storage.unusable import NotWritten

SHOWN = 200
SIP_PORT = 5060
FAR_AWAY = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """What is typed into a phone. `address`: of the switchboard, for phones that cannot resolve `domain`."""

    domain: str
    address: str
    port: int
    realm: str
    """"" where nobody is asked for a password."""
    tcp_port: int | None
    tls_port: int | None
    """None: the transport is off."""
    authority_url: str
    """Where phones that use TLS get the authority that they have to trust; "" if they need none of ours."""

    @property
    def place(self) -> str:
        """The domain with the port, as it stands in a SIP URI (RFC 3261 §25.1)."""
        return bracketed(self.domain) if self.port == SIP_PORT else show_address(self.domain, self.port)

    def code(self, user: str = "") -> str:
        """A QR code (SVG) of the SIP URI; of the registrar's without a user."""
        uri = f"sip:{user}@{self.place}" if user else f"sip:{self.place}"
        return qr_code(uri)

    def authority_code(self) -> str:
        """The same of `authority_url`."""
        return qr_code(self.authority_url)


def phone_settings(settings: Settings, browser: str, console: str) -> PhoneSettings:
    """What phones of the network register with, as seen from the address of the browser that asks.

    `console`: HOST:PORT by which the browser knows us.
    """
    address = _address(settings, browser)
    domain = next(iter(settings.domains), "") or address
    realm, ports = settings.realm if settings.auth == "on" else "", settings.ports
    needs_authority = "tls" in ports and settings.tls_certificate is None
    url = authority_url(settings, console) if needs_authority else ""
    return PhoneSettings(domain, address, settings.sip_port, realm, ports.get("tcp"), ports.get("tls"), url)


def _address(settings: Settings, browser: str) -> str:
    """Our address as the browser's machine sees it; for a browser on this machine as the network does."""
    sources = SourceAddresses(settings)
    try:
        peer = ip_address(browser)
        if not peer.is_loopback and (found := sources(browser)):
            return found
    except ValueError:
        pass
    return sources(FAR_AWAY) or sources("127.0.0.1") or sources("::1")


class Users:
    """Owns the pages."""

    def __init__(self, pages: Pages, settings: Settings, people: People) -> None:
        self._pages = pages
        self._settings = settings
        self._people = people
        self.routes = [
            Route("/users", self.show),
            Route("/users/one", self.show_one),
            Route("/users/add", self.add, methods=["POST"]),
            Route("/users/password", self.renew, methods=["POST"]),
            Route("/users/name", self.rename, methods=["POST"]),
            Route("/users/remove", self.remove, methods=["POST"]),
            Route("/users/unbind", self.unbind, methods=["POST"]),
            Route("/users/rules", self.rule, methods=["POST"]),
            Route("/users/link", self.link, methods=["POST"]),
            Route("/users/unlink", self.unlink, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All users, or those that a search finds."""
        return await self._list(request)

    async def show_one(self, request: Request) -> Response:
        """One user: phones, settings, and what can be done."""
        return await self._one(request, request.query_params.get("user", ""))

    async def add(self, request: Request) -> Response:
        """A new user, with a password that is shown this once."""
        user, name = _field(request, "user"), _field(request, "display_name")
        try:
            password = await asyncio.to_thread(self._people.add, user, name)
        except (BadUser, NotWritten, RpcError) as error:
            return await self._list(request, why_not(error), _status(error), (user, name))
        _log(request, "user added", user)
        return await self._one(request, user, password=password, is_new=True)

    async def renew(self, request: Request) -> Response:
        """A new password, which is shown this once."""
        user = _field(request, "user")
        try:
            password = await asyncio.to_thread(self._people.renew, user)
        except (BadUser, RpcError) as error:
            return await self._one(request, user, why_not(error), _status(error))
        _log(request, "user has a new password", user)
        return await self._one(request, user, password=password)

    async def rename(self, request: Request) -> Response:
        """Another display name."""
        user, name = _field(request, "user"), _field(request, "display_name")
        return await self._act(request, user, "named", lambda: self._people.rename(user, name))

    async def remove(self, request: Request) -> Response:
        """No such user any more."""
        user = _field(request, "user")
        try:
            await asyncio.to_thread(self._people.remove, user)
        except (BadUser, NotWritten, RpcError) as error:
            return await self._one(request, user, why_not(error), _status(error))
        _log(request, "user removed", user)
        return RedirectResponse("/users?said=removed", 303)

    async def unbind(self, request: Request) -> Response:
        """One phone less, until it registers again."""
        user, contact = _field(request, "user"), _field(request, "contact")
        return await self._act(request, user, "unbound", lambda: self._people.unbind(user, contact))

    async def rule(self, request: Request) -> Response:
        """Other rules for the user's calls."""
        user, form = _field(request, "user"), request.state.form
        return await self._act(
            request,
            user,
            "ruled",
            lambda: self._people.rules.change(user, changes_of(form)),
            typed_rules(form),
        )

    async def link(self, request: Request) -> Response:
        """A new link to the user's own page."""
        user = _field(request, "user")
        return await self._act(request, user, "linked", lambda: self._people.make_link(user))

    async def unlink(self, request: Request) -> Response:
        """No link any more."""
        user = _field(request, "user")
        return await self._act(request, user, "unlinked", lambda: self._people.links.revoke(user))

    async def _act(
        self,
        request: Request,
        user: str,
        said: str,
        act: Callable[[], object],
        typed: Mapping[str, Any] | None = None,
    ) -> Response:
        """`typed`: rules to be shown again if they are refused."""
        try:
            await asyncio.to_thread(act)
        except (BadUser, NotWritten, RpcError, StoreError) as error:
            return await self._one(request, user, why_not(error), _status(error), typed=typed)
        _log(request, f"user {said}", user)
        return RedirectResponse(f"/users/one?{urlencode({'user': user, 'said': said})}", 303)

    async def _list(
        self, request: Request, problem: str = "", status: int = 200, typed: tuple[str, str] = ("", "")
    ) -> Response:
        """`typed`: name and display name of a new user that were refused, to be shown again."""
        found: list[Person] = []
        shown: list[Person] = []
        wanted = request.query_params.get("text", "").strip()
        try:
            found = await asyncio.to_thread(self._people.all, wanted)
            shown = await asyncio.to_thread(self._people.with_reach, found[:SHOWN])
        except (RpcError, StoreError) as error:
            problem, status = problem or _unreadable(error), 503
        return self._pages.page(
            request,
            "users.html",
            status,
            people=shown,
            qualifies=bool(self._settings.qualify_s),
            more=max(0, len(found) - SHOWN),
            text=wanted,
            typed=typed,
            problem=problem,
            has_passwords=self._people.has_passwords,
        )

    async def _one(
        self,
        request: Request,
        user: str,
        problem: str = "",
        status: int = 200,
        *,
        password: str = "",
        is_new: bool = False,
        typed: Mapping[str, Any] | None = None,
    ) -> Response:
        """`password`: a new one, to be shown. `typed`: rules that were refused, to be shown again."""
        person = None
        try:
            person = await asyncio.to_thread(self._people.one, user)
        except (RpcError, StoreError) as error:
            problem, status = problem or _unreadable(error), 503
        if person is None and is_new:
            person = Person(user, self._people.names.get(user), None, False, ())
        if person is None:
            return await self._list(request, problem or f"There is no user {user}.", max(status, 404))
        browser = request.client.host if request.client else ""
        console = request.headers.get("host", "")
        to_type = await asyncio.to_thread(phone_settings, self._settings, browser, console)
        token = self._people.links.current(user, person.password_set_at)
        return self._pages.page(
            request,
            "user.html",
            status,
            person=person,
            to_type=to_type,
            password=password,
            is_new=is_new,
            problem=problem,
            has_passwords=self._people.has_passwords,
            qualifies=bool(self._settings.qualify_s),
            transports=offered_transports(self._settings),
            texts=await asyncio.to_thread(self._texts_of, user),
            ruled=await asyncio.to_thread(self._rules_of, user, typed),
            link=f"{self._url(console)}/own/{token}" if token else "",
            link_days=round(LIFETIME_S / 86_400),
        )

    def _rules_of(self, user: str, typed: Mapping[str, Any] | None) -> Ruled | None:
        """None if they cannot be had now."""
        with suppress(BadUser, RpcError):
            return shown_again(self._people.rules.of(user), typed)
        return None

    def _texts_of(self, user: str) -> int:
        """How many texts wait for the user; 0 also if nobody can say now."""
        with suppress(RpcError):
            return sum(each.messages for each in self._people.texts(user))
        return 0

    def _url(self, console: str) -> str:
        scheme = "https" if self._settings.console_has_tls else "http"
        return self._settings.console_url or f"{scheme}://{console}"


def _field(request: Request, name: str) -> str:
    return str(request.state.form.get(name, "")).strip()


def _status(error: Exception) -> int:
    return error.status if isinstance(error, BadUser) else 503


def _unreadable(error: Exception) -> str:
    return (
        str(error)
        if isinstance(error, StoreError)
        else "The registrar, which keeps the users, does not answer."
    )


def _log(request: Request, what: str, user: str) -> None:
    structlog.get_logger().info(what, user=user, source=request.client.host if request.client else "")
