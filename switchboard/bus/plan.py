"""Which host runs what, where the others reach it, and at which TCP ports (docs/BUS.md, Several hosts)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a socket is for: the end of its name, and its place among the ports of its owner."""

    INBOX = "in"
    PUBLISHER = "pub"
    ASK = "ask"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Plan:
    """A switchboard of several hosts, the same on all of them but for `here`.

    `addresses`: host -> IP address without brackets. `owners`: all that have sockets, in the order of their
    ports: workers (`router.0`) and components (`router`). `places`: owner -> hosts.
    """

    here: str
    addresses: Mapping[str, str]
    owners: Sequence[str]
    places: Mapping[str, Sequence[str]]
    base_port: int

    def is_here(self, owner: str) -> bool:
        """Whether this host runs `owner`."""
        return self.here in self.places[owner]

    def endpoint(self, owner: str, kind: Kind, host: str = "") -> str:
        """Where other hosts reach a socket of `owner` on `host` (default: the first that runs it)."""
        address = self.addresses[host or self.places[owner][0]]
        shown = f"[{address}]" if ":" in address else address
        return f"tcp://{shown}:{self.port(owner, kind)}"

    def port(self, owner: str, kind: Kind) -> int:
        """The TCP port of a socket of `owner`."""
        kinds = list(Kind)
        return self.base_port + self.owners.index(owner) * len(kinds) + kinds.index(kind)
