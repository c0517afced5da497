"""Which host runs what, and where each process is reached (docs/BUS.md, Sockets, Several hosts)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Self

EVERYWHERE = "*"
"""In an endpoint to bind: all addresses of the machine."""


def is_address(host: str) -> bool:
    """Whether `host` is an IP address without brackets, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class SocketKind(StrEnum):
    """What a socket is for: the end of its name, and its place among the ports of its owner."""

    INBOX = "in"
    PUBLISHER = "pub"
    ASK = "ask"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class HostPlan:
    """A switchboard of several hosts, the same on all of them but for `here`.

    `addresses`: host -> IP address without brackets, or its name. `owners`: all that have sockets, in the order of
    their ports: workers (`router.0`) and components (`router`). `places`: owner -> hosts. `twins`: owner -> that of
    another host, one of `owners`, whose ports it has on its own.
    """

    here: str
    addresses: Mapping[str, str]
    owners: Sequence[str]
    places: Mapping[str, Sequence[str]]
    base_port: int
    twins: Mapping[str, str] = field(default_factory=dict)

    def is_here(self, owner: str) -> bool:
        """Whether this host runs `owner`."""
        return self.here in self.places[owner]

    def endpoint(self, owner: str, kind: SocketKind, host: str = "") -> str:
        """Where other hosts reach a socket of `owner` on `host` (default: the first that runs it)."""
        address = self.addresses[host or self.places[owner][0]]
        shown = f"[{address}]" if ":" in address else address
        return f"tcp://{shown}:{self.port(owner, kind)}"

    def listening(self, owner: str, kind: SocketKind) -> str:
        """Where this host listens for the others: at its address, at all that it has if it is known by a name."""
        address = self.addresses[self.here]
        if is_address(address):
            return self.endpoint(owner, kind, self.here)
        return f"tcp://{EVERYWHERE}:{self.port(owner, kind)}"

    def port(self, owner: str, kind: SocketKind) -> int:
        """The TCP port of a socket of `owner`."""
        kinds = list(SocketKind)
        place = self.owners.index(self.twins.get(owner, owner))
        return self.base_port + place * len(kinds) + kinds.index(kind)


class Endpoint(str):
    """An endpoint of ZeroMQ; `owner` (`router.0`) is whose socket it is: a TCP port does not tell."""

    __slots__ = ("owner",)
    owner: str

    def __new__(cls, text: str, owner: str) -> Self:
        endpoint = super().__new__(cls, text)
        endpoint.owner = owner
        return endpoint


class Endpoints:
    """Names the Unix sockets in `run_dir`, which separates one switchboard of a machine from another.

    With a `plan` of several hosts: the TCP sockets of what runs elsewhere.
    """

    def __init__(self, run_dir: Path, plan: HostPlan | None = None) -> None:
        self.run_dir = run_dir
        self.plan = plan

    def knows(self, owner: str) -> bool:
        """Whether the settings have it; on one host, everybody's sockets have names."""
        return self.plan is None or owner in self.plan.places

    def inbox(self, name: str, instance: int = 0) -> Endpoint:
        """The PULL socket at which a worker takes casts."""
        return self._reach(f"{name}.{instance}", SocketKind.INBOX)

    def publisher(self, name: str, instance: int = 0) -> Endpoint:
        """The PUB socket at which a worker tells everyone what has happened."""
        return self._reach(f"{name}.{instance}", SocketKind.PUBLISHER)

    def ask(self, name: str, instance: int = 0) -> Endpoint:
        """The ROUTER socket at which a worker answers questions."""
        return self._reach(f"{name}.{instance}", SocketKind.ASK)

    def control(self, component: str, host: str = "") -> Endpoint:
        """The ROUTER socket at which the parent of a component on `host` answers questions.

        Without `host`: on this one, if it runs the component, else on the first that does.
        """
        return self._reach(component, SocketKind.CONTROL, host)

    def listen(self, owner: str, kind: SocketKind) -> list[str]:
        """All endpoints of a socket of ours: of a worker (`router.0`) or of a component's parent."""
        local = self._local(owner, kind)
        return [local, self.plan.listening(owner, kind)] if self.plan else [local]

    def _reach(self, owner: str, kind: SocketKind, host: str = "") -> Endpoint:
        if self.plan is None or host == self.plan.here or (not host and self.plan.is_here(owner)):
            return self._local(owner, kind)
        return Endpoint(self.plan.endpoint(owner, kind, host), owner)

    def _local(self, owner: str, kind: SocketKind) -> Endpoint:
        return Endpoint(f"ipc://{self.run_dir}/{owner}.{kind}", owner)
