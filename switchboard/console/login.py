"""The login of the console."""

import asyncio
import secrets
import time

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bounded import TokenBucket
from switchboard.cli.output import duration
from switchboard.console.connections import site_of
from switchboard.console.guesses import Attempts, PasswordCheck, TooManyWait
from switchboard.console.pages import Pages
from switchboard.console.sessions import BROWSER_COOKIE, ID_BYTES, read_cookie, set_browser, set_session
from switchboard.settings.password import parse_password_hash

MAX_PASSWORD = 1000
AGAIN_S = 2
LOGGED_AT_ONCE, LOGGED_A_SECOND = 20.0, 1.0


class Login:
    """Owns the attempts. `password_hash` as in the settings, "" if there is none."""

    def __init__(self, pages: Pages, password_hash: str) -> None:
        self._pages = pages
        self._check = PasswordCheck(parse_password_hash(password_hash)) if password_hash else None
        self._attempts = Attempts()
        self._log = FailureLog()
        self.routes = [
            Route("/login", self.show),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form."""
        return self._page(request)

    async def log_in(self, request: Request) -> Response:
        """Check the password, unless its source has to wait."""
        browser = self._browser(request)
        guesser = f"browser {browser}" if browser else site_of(_source(request))
        if self._wait_s(guesser):
            return self._too_soon(request, guesser)
        try:
            if await self._fits(request, guesser):
                return self._let_in(request, guesser, browser)
        except TooManyWait:
            return self._wait(request, "Too many passwords are being tried now. Try again.", 503, AGAIN_S)
        if self._wait_s(guesser):
            return self._too_soon(request, guesser)
        self._attempts.failed(guesser, time.monotonic())
        self._log.tell(_source(request), time.monotonic())
        return self._page(request, "This is not the password.", 401)

    async def _fits(self, request: Request, guesser: str) -> bool:
        password = str(request.state.form.get("password", ""))[:MAX_PASSWORD]
        check = self._check
        return check is not None and await check.fits(password, guesser, lambda: not self._wait_s(guesser))

    def _let_in(self, request: Request, guesser: str, browser: str) -> Response:
        self._attempts.succeeded(guesser, time.monotonic())
        structlog.get_logger().info("console login", source=_source(request))
        response = RedirectResponse(_local(request.state.form.get("next", "/")), 303)
        sessions = self._pages.sessions
        set_session(response, sessions, sessions.open(True, sessions.clock(), secrets.token_bytes(ID_BYTES)))
        set_browser(response, sessions, browser or secrets.token_hex(ID_BYTES), sessions.clock())
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session, for the browser and for whoever has a copy of its cookie."""
        sessions = self._pages.sessions
        structlog.get_logger().info("console logout", source=_source(request))
        sessions.end(request.state.session, sessions.clock())
        said = "logged-out"
        try:
            await asyncio.to_thread(sessions.ended.save)
        except OSError as error:
            structlog.get_logger().error("console logout cannot be written", why=str(error))
            said = "logged-out-unwritten"
        response = RedirectResponse(f"/login?said={said}", 303)
        set_session(response, sessions, sessions.open(False, sessions.clock(), secrets.token_bytes(ID_BYTES)))
        return response

    def _wait_s(self, guesser: str) -> float:
        return self._attempts.wait_s(guesser, time.monotonic())

    def _browser(self, request: Request) -> str:
        sessions = self._pages.sessions
        return sessions.read_browser(read_cookie(request.headers, BROWSER_COOKIE), sessions.clock())

    def _too_soon(self, request: Request, guesser: str) -> Response:
        wait_s = int(self._wait_s(guesser)) + 1
        return self._wait(request, f"Too many wrong passwords. Try again in {duration(wait_s)}.", 429, wait_s)

    def _wait(self, request: Request, problem: str, status: int, wait_s: int) -> Response:
        response = self._page(request, problem, status)
        response.headers["Retry-After"] = str(wait_s)
        return response

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        wanted = request.query_params.get("next") or request.state._state.get("form", {}).get("next", "/")
        return self._pages.page(request, "login.html", status, problem=problem, next=_local(wanted))


class FailureLog:
    """A line for each wrong password, but only so many; the next line tells how many had none."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(LOGGED_A_SECOND, LOGGED_AT_ONCE, time.monotonic())
        self._unlogged = 0

    def tell(self, source: str, now: float) -> None:
        """Somebody showed a wrong password."""
        if not self._bucket.take(now):
            self._unlogged += 1
            return
        more = {"unlogged": self._unlogged} if self._unlogged else {}
        structlog.get_logger().warning("console login failed", source=source, **more)
        self._unlogged = 0


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _local(path: str) -> str:
    """The path, if it is one of ours and no other site's address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
