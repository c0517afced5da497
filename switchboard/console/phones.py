"""The console's link and QR code with which a Linphone phone sets itself up, and what the phone then gets."""

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.auth.digest import make_ha1
from switchboard.bus.rpc import RpcError
from switchboard.clock import boot_time
from switchboard.console.authority import authority_url
from switchboard.console.bad_user import BadUser
from switchboard.console.pages import Pages, qr_code
from switchboard.console.people import People, check_user, why_not
from switchboard.console.provisioning import Credentials, configuration, offered_transports, reach_by, to_xml
from switchboard.settings.local import SourceAddresses
from switchboard.settings.model import Settings
from switchboard.settings.types import is_loopback, parse_listening

LIFETIME_S = 900.0
MAX_LINKS = 200
TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Link:
    """What one link gives away. `token` is all that its address tells."""

    token: str
    user: str
    credentials: Credentials | None
    """None where nobody is asked for passwords."""
    expires_at: float
    transport: str = "udp"


class Links:
    """The links that nobody has followed yet, with their credentials: in memory, void after a restart.

    `now`: seconds since the machine started, asleep or not.
    """

    def __init__(self) -> None:
        self._links: OrderedDict[str, Link] = OrderedDict()

    def make(
        self, user: str, credentials: Credentials | None, token: str, now: float, transport: str = "udp"
    ) -> Link:
        """Return a new link for a user; it takes the place of the oldest if there are too many.

        With credentials it makes the user's earlier links void: theirs are of an old password.
        """
        self._forget(now)
        if credentials:
            self._void(user)
        link = self._links[token] = Link(token, user, credentials, now + LIFETIME_S, transport)
        if len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)
        return link

    def look(self, token: str, now: float) -> Link | None:
        """Return a link without following it; None if it was followed, is too old, or never was."""
        self._forget(now)
        return self._links.get(token)

    def follow(self, token: str, now: float) -> Link | None:
        """The same, for the first who asks only."""
        link = self.look(token, now)
        self._links.pop(token, None)
        return link

    def _void(self, user: str) -> None:
        for link in list(self._links.values()):
            if link.user == user:
                del self._links[link.token]

    def _forget(self, now: float) -> None:
        for link in list(self._links.values()):
            if link.expires_at > now:
                break
            del self._links[link.token]


class Phones:
    """Owns the pages and the links."""

    def __init__(self, pages: Pages, settings: Settings, people: People) -> None:
        self._pages = pages
        self._settings = settings
        self._people = people
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
        try:
            check_user(user)
            if not self._people.has_passwords:
                return self._link(request, user, None)
            return await self._give_password(request, user)
        except BadUser as error:
            return self._page(request, str(error), error.status)
        except RpcError as error:
            structlog.get_logger().warning("no password given", user=user, why=str(error))
            return self._page(request, why_not(error), 503)

    async def _give_password(self, request: Request, user: str) -> Response:
        is_known = await asyncio.to_thread(self._people.has_password, user)
        if is_known and "renew" not in request.state.form:
            return self._page(request, known=user)
        password = await asyncio.to_thread(self._people.renew if is_known else self._people.add, user)
        done = "user has a new password" if is_known else "user added"
        structlog.get_logger().info(done, user=user, source=_source(request))
        realm, algorithm = self._settings.realm, self._settings.algorithms_of(user)[0]
        ha1 = make_ha1(algorithm, user, realm, password)
        return self._link(request, user, Credentials(realm, algorithm, ha1))

    def _link(self, request: Request, user: str, credentials: Credentials | None) -> Response:
        token, transport = secrets.token_urlsafe(TOKEN_BYTES), self._transport(request)
        link = self._links.make(user, credentials, token, boot_time(), transport)
        structlog.get_logger().info("provisioning link made", user=user, source=_source(request))
        return RedirectResponse(f"/phones/{link.token}", 303)

    async def show_link(self, request: Request) -> Response:
        """The link, its QR code, and whether a phone has followed it."""
        link = self._links.look(request.path_params["token"], boot_time())
        if link is None:
            return self._page(request, "This link was used, or is too old. Make another one.", 404)
        console = request.headers["host"]
        url = f"{self._settings.console_url or f'{self._scheme}://{console}'}/provisioning/{link.token}"
        needs_authority = link.transport == "tls" and self._has_authority
        authority = authority_url(self._settings, console) if needs_authority else ""
        return self._pages.page(
            request,
            "link.html",
            link=link,
            left_s=link.expires_at - boot_time(),
            url=url,
            code=qr_code(url),
            authority_url=authority,
            authority_code=qr_code(authority) if authority else "",
            is_reachable=self._is_reachable,
        )

    async def provision(self, request: Request) -> Response:
        """What the phone asks for, once."""
        if request.method != "GET":
            return Response(status_code=405)
        link = self._links.follow(request.path_params["token"], boot_time())
        if link is None:
            return Response("This link was used, or is too old.\n", 404, media_type="text/plain")
        structlog.get_logger().info("phone provisioned", user=link.user, source=_source(request))
        host = await asyncio.to_thread(self._host, _source(request))
        reach = reach_by(self._settings, link.transport)
        sections = configuration(link.user, host, self._settings.sip_port, link.credentials, reach)
        return Response(to_xml(sections), media_type="application/xml")

    def _page(self, request: Request, problem: str = "", status: int = 200, known: str = "") -> Response:
        """`known`: the user who has a password already."""
        return self._pages.page(
            request,
            "phones.html",
            status,
            problem=problem,
            known=known,
            has_passwords=self._people.has_passwords,
            is_reachable=self._is_reachable,
            has_authority=self._has_authority,
            transports=offered_transports(self._settings),
            transport=self._transport(request),
            user=request.query_params.get("user", ""),
        )

    def _transport(self, request: Request) -> str:
        """The one that was chosen; the first that is offered, if none was."""
        offered = offered_transports(self._settings)
        form = request.state.form if request.method == "POST" else {}
        chosen = str(form.get("transport", ""))
        return chosen if chosen in offered else offered[0]

    @property
    def _scheme(self) -> str:
        """Linphone follows a link in TLS only to a certificate whose authority it knows."""
        return "https" if self._settings.console_has_tls and self._settings.tls_certificate else "http"

    @property
    def _has_authority(self) -> bool:
        """Whether phones that use TLS need our authority."""
        return self._settings.has_tls and self._settings.tls_certificate is None

    @property
    def _is_reachable(self) -> bool:
        """Whether phones on other machines get an answer here."""
        address = parse_listening(self._settings.console)
        return bool(self._settings.console_url) or address is not None and not is_loopback(address[0])

    def _host(self, phone: str) -> str:
        """Where the phone shall register: our first domain, else our address as the phone sees it."""
        return next(iter(self._settings.domains), "") or SourceAddresses(self._settings)(phone)


def _source(request: Request) -> str:
    return request.client.host if request.client else ""
