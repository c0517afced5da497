"""The login of the console, and how often it may be tried."""

import asyncio
import secrets
import time
from collections import OrderedDict, deque

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.console.access import ID_BYTES, set_session
from switchboard.console.pages import Pages
from switchboard.settings.password import parse_password_hash

PERIOD_S = 300.0
TRIES_OF_ONE = 5
TRIES_OF_ALL = 60
MAX_SOURCES = 1000


class Attempts:
    """Failed attempts of the last PERIOD_S, by source address and of all together."""

    def __init__(self) -> None:
        self._of_one: OrderedDict[str, deque[float]] = OrderedDict()
        self._of_all: deque[float] = deque(maxlen=TRIES_OF_ALL)

    def wait_s(self, source: str, now: float) -> float:
        """Return how long `source` must wait until it may try; 0.0: not at all."""
        of_one = self._of_one.get(source, deque())
        return max(_wait_s(of_one, TRIES_OF_ONE, now), _wait_s(self._of_all, TRIES_OF_ALL, now))

    def failed(self, source: str, now: float) -> None:
        """Note a wrong password."""
        self._of_one.setdefault(source, deque(maxlen=TRIES_OF_ONE)).append(now)
        self._of_one.move_to_end(source)
        if len(self._of_one) > MAX_SOURCES:
            self._of_one.popitem(last=False)
        self._of_all.append(now)

    def succeeded(self, source: str) -> None:
        """Forget what `source` has failed."""
        self._of_one.pop(source, None)


def _wait_s(failures: deque[float], allowed: int, now: float) -> float:
    """The failures so far fill the period until the oldest of the last `allowed` has left it."""
    return max(0.0, failures[0] + PERIOD_S - now) if len(failures) == allowed else 0.0


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
