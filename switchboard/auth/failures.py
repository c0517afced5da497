"""Whom a worker turned away, and why: facts for its log."""

from enum import StrEnum
from typing import Final, NamedTuple

MOST: Final = 1000
"""Noted between two looks at them."""
LONGEST_AGENT: Final = 64
"""Characters that are kept of a User-Agent."""


class Reason(StrEnum):
    """Why a request was refused, as the log tells it."""

    WRONG_PASSWORD = "wrong password"
    UNKNOWN_USER = "unknown user"
    OTHER_TARGET = "credentials for another URI"
    NOT_OWN_BINDINGS = "not own bindings"
    NOT_OWN_FROM = "From is not the user"
    FORBIDDEN_RELAY = "forbidden relay"


class Failure(NamedTuple):
    """Somebody was turned away. `source`: the IP address; `user`: who it was said to be (untrusted).

    `user_agent`: what it calls itself (untrusted, cut). `algorithm`: of what it showed, if anything.
    """

    source: str
    user: str
    method: str
    reason: Reason
    user_agent: str = ""
    algorithm: str = ""


class Failures:
    """Keeps them until somebody looks, MOST at a time; `count` knows of all."""

    def __init__(self) -> None:
        self.count = 0
        self._noted: list[Failure] = []

    def note(self, failure: Failure) -> None:
        """Somebody is turned away."""
        self.count += 1
        if len(self._noted) < MOST:
            self._noted.append(failure)

    def take(self) -> list[Failure]:
        """Those since the last call."""
        if not self._noted:
            return []
        taken, self._noted = self._noted, []
        return taken
