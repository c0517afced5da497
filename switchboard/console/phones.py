"""The console's page of phones: who is to have one, and the password that sets it up."""

import asyncio
import re
import secrets
import time
from typing import Any

import segno
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.auth.digest import make_ha1
from switchboard.auth.users import make_entry
from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, RpcRefused, call_rpc
from switchboard.cli.credentials import generate_password
from switchboard.console.pages import Pages
from switchboard.console.provisioning import TOKEN_BYTES, Credentials, Links, configuration, to_xml
from switchboard.settings.local import SourceAddresses
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of
from switchboard.settings.types import is_loopback, parse_listening

ANSWER_S = 2.0


class Accounts:
    """Asks the registrar, and waits for it; BusError if it does not do what it is asked for."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self._settings = settings
        self._context = context

    def has(self, user: str) -> bool:
        """Whether there is a user called so."""
        return any(name == user for name, *_ in self._ask("user.list", None))

    def give_password(self, user: str) -> Credentials:
        """Give `user`, new or not, a password that nobody gets to know; return what proves it."""
        realm, algorithm = self._settings.realm, self._settings.algorithms_of(user)[0]
        password = generate_password()
        self._ask("user.put", [list(make_entry(user, realm, password))])
        return Credentials(realm, algorithm, make_ha1(algorithm, user, realm, password))

    def _ask(self, question: str, body: object) -> Any:
        server = endpoints_of(self._settings).ask("registrar")
        return call_rpc(server, question, body, ANSWER_S, self._context)


USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,64}")
"""The user part of a SIP URI (RFC 3261 §25.1)."""


class Phones:
    """Owns the pages and the links."""

    def __init__(self, pages: Pages, settings: Settings, context: BusContext) -> None:
        self._pages = pages
        self._settings = settings
        self._accounts = Accounts(settings, context) if settings.auth == "on" else None
        self._links = Links()
        self.routes = [
            Route("/phones", self.show),
            Route("/phones", self.make, methods=["POST"]),
            Route("/phones/{token}", self.show_link),
            Route("/provisioning/{token}", self.provision),
        ]

    async def show(self, request: Request) -> Response:
        """The form."""
        return self._page(request)

    async def make(self, request: Request) -> Response:
        """Make a link and show it; where users have passwords, one with a new password."""
        user = str(request.state.form.get("user", "")).strip()
        if not USER.fullmatch(user):
            return self._page(
                request, f"{user!r} cannot stand in a SIP address: use letters and digits.", 400
            )
        if self._accounts is None:
            return self._link(request, user, None)
        try:
            return await self._give_password(request, user, self._accounts)
        except RpcError as error:
            structlog.get_logger().warning("no password given", user=user, why=str(error))
            return self._page(request, _why_not(error), 503)

    async def _give_password(self, request: Request, user: str, accounts: Accounts) -> Response:
        is_known = await asyncio.to_thread(accounts.has, user)
        if is_known and "renew" not in request.state.form:
            return self._page(request, known=user)
        credentials = await asyncio.to_thread(accounts.give_password, user)
        done = "user has a new password" if is_known else "user added"
        structlog.get_logger().info(done, user=user, source=_source(request))
        return self._link(request, user, credentials)

    def _link(self, request: Request, user: str, credentials: Credentials | None) -> Response:
        link = self._links.make(user, credentials, secrets.token_urlsafe(TOKEN_BYTES), time.time())
        structlog.get_logger().info("provisioning link made", user=user, source=_source(request))
        return RedirectResponse(f"/phones/{link.token}", 303)

    async def show_link(self, request: Request) -> Response:
        """The link, its QR code, and whether a phone has followed it."""
        link = self._links.look(request.path_params["token"], time.time())
        if link is None:
            return self._page(request, "This link was used, or is too old. Make another one.", 404)
        console = self._settings.console_url or f"http://{request.headers['host']}"
        url = f"{console}/provisioning/{link.token}"
        code = segno.make(url, error="m").svg_inline(scale=6, border=4, light="#fff", omitsize=True)
        return self._pages.page(
            request, "link.html", link=link, url=url, code=code, is_reachable=self._is_reachable
        )

    async def provision(self, request: Request) -> Response:
        """What the phone asks for, once."""
        if request.method != "GET":
            return Response(status_code=405)
        link = self._links.follow(request.path_params["token"], time.time())
        if link is None:
            return Response("This link was used, or is too old.\n", 404, media_type="text/plain")
        structlog.get_logger().info("phone provisioned", user=link.user, source=_source(request))
        host = await asyncio.to_thread(self._host, _source(request))
        sections = configuration(link.user, host, self._settings.sip_port, link.credentials)
        return Response(to_xml(sections), media_type="application/xml")

    def _page(self, request: Request, problem: str = "", status: int = 200, known: str = "") -> Response:
        """`known`: the user who has a password already."""
        return self._pages.page(
            request,
            "phones.html",
            status,
            problem=problem,
            known=known,
            has_passwords=self._accounts is not None,
            is_reachable=self._is_reachable,
        )

    @property
    def _is_reachable(self) -> bool:
        """Whether phones on other machines get an answer here."""
        address = parse_listening(self._settings.console)
        return bool(self._settings.console_url) or address is not None and not is_loopback(address[0])

    def _host(self, phone: str) -> str:
        """Where the phone shall register: our first domain, else our address as the phone sees it."""
        return next(iter(self._settings.domains), "") or SourceAddresses(self._settings)(phone)


def _why_not(error: RpcError) -> str:
    if isinstance(error, RpcRefused):
        return f"The registrar refuses: {error}. No link was made."
    return (
        "The registrar, which keeps the passwords, does not answer. No link was made. "
        "Look at Now whether it is up, then try again."
    )


def _source(request: Request) -> str:
    return request.client.host if request.client else ""
