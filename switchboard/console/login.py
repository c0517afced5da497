"""The login, where one is asked for."""

import asyncio
import secrets
import time

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.console.access import set_session
from switchboard.console.attempts import Attempts
from switchboard.console.pages import Pages
from switchboard.console.sessions import ID_BYTES
from switchboard.settings.password import parse_password_hash

MAX_PASSWORD = 1000


class Login:
    """Owns the attempts. `password_hash` as in the settings, "" if there is none."""

    def __init__(self, pages: Pages, password_hash: str) -> None:
        self._pages = pages
        self._hash = parse_password_hash(password_hash) if password_hash else None
        self._attempts = Attempts()
        self._checking = asyncio.Semaphore(1)
        self.routes = [
            Route("/login", self.show),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form."""
        return self._page(request)

    async def log_in(self, request: Request) -> Response:
        """Check the password, one at a time: each check takes memory and time."""
        source = request.client.host if request.client else ""
        async with self._checking:
            if wait_s := self._attempts.wait_s(source, time.monotonic()):
                minutes = int(wait_s // 60) + 1
                return self._page(request, f"Too many wrong passwords. Try again in {minutes} min.", 429)
            password = str(request.state.form.get("password", ""))[:MAX_PASSWORD]
            fits = self._hash is not None and await asyncio.to_thread(self._hash.fits, password)
            if not fits:
                self._attempts.failed(source, time.monotonic())
                structlog.get_logger().warning("console login failed", source=source)
                return self._page(request, "This is not the password.", 401)
            self._attempts.succeeded(source)
        structlog.get_logger().info("console login", source=source)
        response = RedirectResponse(_local(request.state.form.get("next", "/")), 303)
        session = self._pages.sessions.open(True, time.time(), secrets.token_bytes(ID_BYTES))
        set_session(response, self._pages.sessions, session)
        return response

    async def log_out(self, request: Request) -> Response:
        """Let the browser forget that it was an admin's."""
        structlog.get_logger().info("console logout", source=request.client.host if request.client else "")
        response = RedirectResponse("/login?said=logged-out", 303)
        session = self._pages.sessions.open(False, time.time(), secrets.token_bytes(ID_BYTES))
        set_session(response, self._pages.sessions, session)
        return response

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        wanted = request.query_params.get("next") or request.state._state.get("form", {}).get("next", "/")
        return self._pages.page(request, "login.html", status, problem=problem, next=_local(wanted))


def _local(path: str) -> str:
    """The path, if it is one of ours and no other site's address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
