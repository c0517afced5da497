"""Listings of bindings: which ones match, and how the registrar returns them page by page (docs/BUS.md, location.list).

A page has the users from a position of the table on. A client that follows the positions up to 0 gets every user
that was there all the time, and some of them twice. Positions are valid as long as the registrar that issued them
lives.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any, Final

from switchboard.registrar.binding import CLOSED, OPEN, Binding
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, UDP
from switchboard.sip.translation import doubt
from switchboard.sip.uri import SipUri

USERS_A_PAGE: Final = 500
BindingMap = Mapping[str, Any]
"""What `Binding.to_map` returned."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Patterns, "" for any: `*` and `?` as in file names, no matter in which case. `name` is the user, as it is.

    `user`, `source` (host, host:port, or a network) and `transport` have to fit wholly; of `contact` and `agent` any
    part will do.
    """

    name: str = ""
    user: str = ""
    contact: str = ""
    source: str = ""
    agent: str = ""
    transport: str = ""

    @classmethod
    def from_wire(cls, found: Any) -> "Wanted":
        """What `to_wire` returned; ValueError for anything else."""
        if not (isinstance(found, dict) and all(isinstance(each, str) for each in found.values())):
            raise ValueError("no patterns")
        try:
            return cls(**found)
        except TypeError as error:
            raise ValueError("unknown patterns") from error

    def to_wire(self) -> dict[str, str]:
        """The patterns by name, those that are there: an older registrar knows fewer."""
        return {name: pattern for name, pattern in asdict(self).items() if pattern}

    def takes(self, user: str) -> bool:
        """Whether a user of this name is meant."""
        return user == self.name if self.name else not self.user or _fits(self.user, user)

    def matches(self, binding: Binding) -> bool:
        """Whether the binding matches, whatever its user."""
        return (
            (not self.contact or _fits(f"*{self.contact}*", binding.contact))
            and (not self.agent or _fits(f"*{self.agent}*", binding.user_agent))
            and (not self.source or self._is_from(binding))
            and (not self.transport or _fits(self.transport, binding.transport_name))
        )

    def _is_from(self, binding: Binding) -> bool:
        if _fits(self.source, binding.source) or _fits(self.source, binding.source_host):
            return True
        try:
            return ip_address(binding.source_host) in ip_network(self.source, strict=False)
        except ValueError:
            return False


def doubt_of(contact: str, source: str, connection: str) -> str:
    """What is odd, for people, about a binding: the address in its contact is not where it registers from.

    Nothing as long as its connection is open: over that it is reached, whatever its contact names.
    """
    if connection == OPEN:
        return ""
    try:
        host = SipUri.parse(contact).address
    except ParseError:
        return ""
    return doubt(host, source.rpartition(":")[0].strip("[]"))


def way_of(found: BindingMap) -> tuple[str, str]:
    """The transport of a binding, and whether its connection is open; a registrar before an upgrade says neither."""
    return found.get("transport", NAMES[UDP]), found.get("connection", "")


def transport_told(transport: str, connection: str) -> str:
    """The transport for people, and if its connection is closed, that."""
    return f"{transport}, closed" if connection == CLOSED else transport


def _fits(pattern: str, text: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def read_pages(
    ask: Callable[[object], Any], wanted: Wanted | None = None
) -> Iterator[tuple[str, list[BindingMap]]]:
    """The users whose bindings are `wanted`, each with these, in no order; `ask` puts a `location.list`."""
    patterns = (wanted or Wanted()).to_wire()
    seen: set[str] = set()
    life, at = "", 0
    while True:
        answered_by, users, following = ask([life, at, patterns])
        yield from ((user, bindings) for user, bindings in users if user not in seen)
        seen.update(user for user, _ in users)
        if not following:
            return
        life, at = answered_by, following
