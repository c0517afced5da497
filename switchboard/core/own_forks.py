"""A request of a worker that goes to all phones of a user, and has one answer (RFC 3261 §16.7 step 6).

Theory. The worker knows a user, and no contacts: it puts `here.invalid` as the host into the Request-URI. The request
goes to each contact at once, as it is written there. The first 2xx is the answer; otherwise the best final response
is, when there is one of each. What a worker asks for although its predecessor has, is not sent once more while it is
under way, nor when a phone has taken it.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from switchboard.core.branch import Final as FinalResponse
from switchboard.core.branch import best
from switchboard.core.domains import OwnDomains
from switchboard.core.forwarding import Plan, plan
from switchboard.core.preprocess import DEFAULT_MAX_FORWARDS, Routing
from switchboard.core.target import Target

ANYWHERE: Final = "here.invalid"
"""The host of a user wherever that is registered."""


class Wanted(NamedTuple):
    """A request that a worker wants to be sent. `token`: by which the worker knows the answer.

    `raw`: the request without Via. It goes over `flow` (packed) if there is one; else, if `user` is one of ours, to the
    binding with this very Request-URI or of this GRUU, or with `here.invalid` as its host to all of the user's; else
    where the first Route or the Request-URI leads.
    """

    worker: str
    token: bytes
    raw: bytes
    flow: bytes = b""
    user: str = ""


class Owner(Protocol):
    """Hears what came of a request."""

    def end(self, wanted: Wanted, status: int, raw: bytes = b"", flow: bytes = b"") -> None:
        """It has its final response."""


class Fork:
    """One request on its way to several contacts. `wanted`: as the worker asked for it."""

    def __init__(self, owner: Owner, wanted: Wanted, count: int) -> None:
        self._owner = owner
        self._wanted = wanted
        self._left = count
        self._ends: list[tuple[int, bytes, bytes]] = []
        self._is_over = False

    def end(self, _wanted: Wanted, status: int, raw: bytes = b"", flow: bytes = b"") -> None:
        """One of the contacts has answered, or none was there."""
        self._left -= 1
        self._ends.append((status, raw, flow))
        if self._is_over or (self._left and not 200 <= status < 300):
            return
        self._is_over = True
        chosen = best([FinalResponse(each) for each, _, _ in self._ends])
        self._owner.end(self._wanted, *next(each for each in self._ends if each[0] == chosen.status))


def copies(wanted: Wanted, targets: list[Target], own: OwnDomains) -> Iterator[tuple[Wanted, Plan]]:
    """Return the request as it goes to each of `targets`. ParseError."""
    line, _, rest = wanted.raw.partition(b"\r\n")
    method = line.partition(b" ")[0]
    for target in targets:
        found = plan(Routing(target.text, target.uri, [], DEFAULT_MAX_FORWARDS), target, own)
        routes = "".join(f"Route: {route}\r\n" for route in found.routes)
        head = f" {found.text} SIP/2.0\r\n{routes}".encode("utf-8", "surrogateescape")
        yield wanted._replace(raw=method + head + rest), found
