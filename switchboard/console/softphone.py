"""The page Phone: a phone in the browser. It registers and calls by itself, over the WebSocket at /sip."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.console.access import SIP
from switchboard.console.pages import Pages
from switchboard.settings.local import own_addresses
from switchboard.settings.model import Settings

PATH = "/softphone"


class Softphone:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings) -> None:
        self._pages = pages
        self._settings = settings
        self.routes = [Route(PATH, self.show)]

    async def show(self, request: Request) -> Response:
        """The phone, for whoever knows the password of a user."""
        return self._pages.page(request, "softphone.html", domain=self._domain(request), socket=SIP)

    def _domain(self, request: Request) -> str:
        """Where the users are: our first domain, or the address that the browser knows, or one of ours."""
        here = request.url.hostname or ""
        ours = own_addresses(self._settings)
        return next(iter(self._settings.domains), "") or (here if here in ours else next(iter(ours), here))
