"""The page Phones: a link and a QR code with which a Linphone phone sets itself up."""

import asyncio
import re
import secrets
import time

import segno
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.console.pages import Pages
from switchboard.console.provisioning import TOKEN_BYTES, Links, configuration, to_xml
from switchboard.listening import is_loopback, parse_listening, show_address
from switchboard.local import Facing
from switchboard.settings import Settings

USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,64}")
"""The user part of a SIP URI (RFC 3261 §25.1)."""
SIP_PORT = 5060


class Phones:
    """Owns the pages and the links."""

    def __init__(self, pages: Pages, settings: Settings) -> None:
        self._pages = pages
        self._settings = settings
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
        """Make a link and show it."""
        user = str(request.state.form.get("user", "")).strip()
        if not USER.fullmatch(user):
            return self._page(
                request, f"{user!r} cannot stand in a SIP address: use letters and digits.", 400
            )
        link = self._links.make(user, secrets.token_urlsafe(TOKEN_BYTES), time.time())
        structlog.get_logger().info("provisioning link made", user=user, source=_source(request))
        return RedirectResponse(f"/phones/{link.token}", 303)

    async def show_link(self, request: Request) -> Response:
        """The link, its QR code, and whether a phone has followed it."""
        link = self._links.look(request.path_params["token"], time.time())
        if link is None:
            return self._page(request, "This link was used, or is too old. Make another one.", 404)
        url = f"http://{request.headers['host']}/provisioning/{link.token}"
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
        domain = await asyncio.to_thread(self._domain, _source(request))
        return Response(to_xml(configuration(link.user, domain)), media_type="application/xml")

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        return self._pages.page(
            request, "phones.html", status, problem=problem, is_reachable=self._is_reachable
        )

    @property
    def _is_reachable(self) -> bool:
        """Whether phones on other machines get an answer here."""
        address = parse_listening(self._settings.console)
        return address is not None and not is_loopback(address[0])

    def _domain(self, phone: str) -> str:
        """What the phone shall register at: our first domain, else our address as the phone sees it."""
        host = next(iter(self._settings.domains), "") or Facing(self._settings)(phone)
        if self._settings.sip_port == SIP_PORT:
            return f"[{host}]" if ":" in host else host
        return show_address(host, self._settings.sip_port)


def _source(request: Request) -> str:
    return request.client.host if request.client else ""
