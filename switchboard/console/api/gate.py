"""Who may use the JSON API: whoever shows a token. Cookies, Host and Origin count for nothing here.

A right token is admitted at once, whatever else came from its address: a token is found by a look-up, and is too long
to be guessed, so nobody has to be locked out. Wrong ones are slowed down by their source all the same, so that they
fill no log.
"""

import asyncio
import time

import structlog
from starlette.requests import Request

from switchboard.auth.api_tokens import ApiToken, ApiTokens
from switchboard.bounded import TokenBucket
from switchboard.console.access import tell_known
from switchboard.console.api.operations import Operation
from switchboard.console.api.problems import Problem, told
from switchboard.console.connections import site_of
from switchboard.console.guesses import Attempts

REALM = 'Bearer realm="switchboard"'
LOGGED_AT_ONCE, LOGGED_A_SECOND = 20.0, 1.0


class Gate:
    """Owns the count of wrong tokens."""

    def __init__(self, tokens: ApiTokens) -> None:
        self._tokens = tokens
        self._attempts = Attempts()
        self._log = TokenBucket(LOGGED_A_SECOND, LOGGED_AT_ONCE, time.monotonic())

    async def admit(self, request: Request) -> ApiToken:
        """The token that the request shows. Problem: 401 or 429."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not shown.strip():
            text = "Show a token: Authorization: Bearer … (switchboard token add NAME)."
            raise Problem(401, text, {"WWW-Authenticate": REALM})
        with told():
            token = await asyncio.to_thread(self._tokens.find, shown.strip())
        if token is None:
            raise self._wrong(source_of(request))
        tell_known(request.scope)
        return token

    def _wrong(self, source: str) -> Problem:
        site, now = site_of(source), time.monotonic()
        wait_s = self._attempts.wait_s(site, now)
        if wait_s:
            return Problem(429, "Too many wrong tokens.", {"Retry-After": str(int(wait_s) + 1)})
        self._attempts.failed(site, now)
        if self._log.take(now):
            structlog.get_logger().warning("api token refused", source=source)
        return Problem(401, "This is no token.", {"WWW-Authenticate": f'{REALM}, error="invalid_token"'})


def check_may(operation: Operation, token: ApiToken) -> None:
    """Problem: 403 if the token may only read, and the operation changes something."""
    if operation.changes and token.read_only:
        raise Problem(403, f"The token {token.name} may only read.")


def source_of(request: Request) -> str:
    """The address that the request came from."""
    return request.client.host if request.client else ""
