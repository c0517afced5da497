"""Refused requests with their reasons; and the users whose phones fail repeatedly, with what may help them.

User agents differ in how they handle two challenges (RFC 8760 §2.4): some answer the first and compute MD5 all the
same, some compute one of two answers wrongly, and some do not answer once they see SHA-256.
"""

from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from switchboard.auth.digest import MD5

MOST_NOTED: Final = 1000
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
    FOREIGN_DOMAIN = "registers at a domain that is not ours"
    ASKED_ELSEWHERE = "registers at a domain that is not ours, and is asked for a password first"
    UNREACHED_DOMAIN = "registers at a domain that is not ours, and that was not reached"


NO_ATTACK: Final = (Reason.ASKED_ELSEWHERE, Reason.UNREACHED_DOMAIN)
"""What users of ours may do who are right."""


class Failure(NamedTuple):
    """Somebody was turned away. `source`: the IP address; `user`: who it was said to be (untrusted).

    `user_agent`: what it calls itself (untrusted, cut). `algorithm`: of what it showed, if anything. `domain`: of a
    REGISTER for another domain, with its port if it names one (untrusted).
    """

    source: str
    user: str
    method: str
    reason: Reason
    user_agent: str = ""
    algorithm: str = ""
    domain: str = ""


class Failures:
    """Keeps them until somebody looks, MOST_NOTED at a time; `count` knows of all."""

    def __init__(self) -> None:
        self.count = 0
        self._noted: list[Failure] = []

    def note(self, failure: Failure) -> None:
        """Somebody is turned away."""
        self.count += failure.reason not in NO_ATTACK
        if len(self._noted) < MOST_NOTED:
            self._noted.append(failure)

    def take(self) -> list[Failure]:
        """Those since the last call."""
        if not self._noted:
            return []
        taken, self._noted = self._noted, []
        return taken


MOST_FAILING: Final = 1000
"""Users that are remembered; who failed longest ago is forgotten first."""
OFTEN: Final = 3
"""This number of failures in a row is no accident. A first request without a password is not a failure."""
_FAIL_AT_SIGHT = ("freeswitch", "sofia-sip", "baresip v1.0")
"""How User-Agents begin that are known to give up when SHA-256 is among the challenges."""


class Failing(NamedTuple):
    """One user's failures since its last success. `last_at`: epoch s.

    `source`, `user_agent`: of the last one. `algorithm`: by which it showed a wrong password, "" if it was
    asked for one and showed none.
    """

    user: str
    times: int
    source: str
    user_agent: str
    algorithm: str
    last_at: float


class FailingBook:
    """One worker's, in the order of their last failures."""

    def __init__(self) -> None:
        self._failing: OrderedDict[str, Failing] = OrderedDict()

    def note(self, user: str, source: str, user_agent: str, algorithm: str, at: float) -> None:
        """`user` was asked for a password once more."""
        before = self._failing.pop(user, None)
        times = before.times + 1 if before else 1
        shown = algorithm or (before.algorithm if before else "")
        self._failing[user] = Failing(user, times, source, user_agent, shown, at)
        if len(self._failing) > MOST_FAILING:
            self._failing.popitem(last=False)

    def forget(self, user: str) -> None:
        """`user` has proved its password."""
        self._failing.pop(user, None)

    def often(self) -> list[list[Any]]:
        """Those who failed OFTEN or more, as plain values, the latest first."""
        return [list(each) for each in reversed(self._failing.values()) if each.times >= OFTEN]


def advise(failing: Failing, offered: Sequence[str]) -> str:
    """What to do about it. `offered`: the algorithms that the user is offered, in order."""
    setting = f'auth_algorithms = ["MD5"] in [users.{_key(failing.user)}]'
    if tuple(offered) == (MD5,):
        return "enter the password in the phone again"
    if failing.user_agent.lower().startswith(_FAIL_AT_SIGHT):
        return f"this phone is known to give up when it sees SHA-256: set {setting}"
    if not failing.algorithm:
        return f"enter the password in the phone; if it has one, it cannot read the challenges: set {setting}"
    if failing.algorithm == MD5:
        why = "it answers with MD5, though that is not offered first, and may mix up the two"
    else:
        why = f"it takes the first challenge, and may not really know {failing.algorithm}"
    return f"enter the password in the phone again; if it is right, {why}: set {setting}"


def describe(failing: Failing) -> str:
    """What happened, for people."""
    phone = f"{failing.user} at {failing.source} ({failing.user_agent or 'a phone that does not say which'})"
    shown = f"showed a wrong password by {failing.algorithm}" if failing.algorithm else "showed no password"
    return f"{phone} was asked {failing.times} times in a row and {shown}"


def _key(user: str) -> str:
    """The name as TOML has it in a table's head."""
    return user if user.replace("-", "").replace("_", "").isalnum() and user.isascii() else f'"{user}"'
