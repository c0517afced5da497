"""The components of a switchboard, and which host runs what: the tables `[hosts.NAME]` of the settings."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_interface
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from switchboard.bus.endpoints import is_address
from switchboard.settings.types import PublicAddress


class Component(StrEnum):
    """What `switchboard start NAME` starts, in the order in which people see them."""

    EDGE = "edge"
    REGISTRAR = "registrar"
    ROUTER = "router"
    TRANSLATOR = "translator"
    JOURNAL = "journal"
    HISTORY = "history"
    PRESENCE = "presence"
    TRUNKS = "trunks"
    CONSOLE = "console"


EDGE_WORKERS = ("edge-rx", "edge-tx")
EDGE_STREAM = "edge-stream"
MOST_EDGES = 16
"""A flow has one octet for the instance of an edge-stream, of which an edge has 16 at most."""
OPTIONAL = frozenset({Component.CONSOLE, Component.HISTORY, Component.PRESENCE, Component.TRUNKS})
"""No call needs them; the settings may leave them out."""
LATE = frozenset({Component.PRESENCE, Component.TRUNKS})
"""Of them, those whose ports follow all others': a host with an older version does not know them."""


_RUN_BY = {"router": "router_run"}
"""Modules with another name than their workers."""


@dataclass(frozen=True, slots=True)
class WorkerName:
    """One worker process: its name and instance, counted from 0."""

    name: str
    instance: int

    def __str__(self) -> str:
        return f"{self.name}.{self.instance}"

    @property
    def module(self) -> str:
        """Whose function `run` it runs."""
        return "switchboard.workers." + _RUN_BY.get(self.name, self.name.replace("-", "_"))

    @property
    def arguments(self) -> tuple[str, ...]:
        """What that function is told."""
        return ("--instance", str(self.instance))

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it."""
        return (sys.executable, "-m", self.module, *self.arguments)


def workers_of(
    component: Component, routers: int, streams: int = 1, edges: int = 1, registrars: int = 1
) -> list[WorkerName]:
    """The workers of `component`; `routers`, `registrars`: how many there are. `streams`: edge-streams of each edge."""
    if component is Component.EDGE:
        return [worker for edge in range(edges) for worker in workers_of_edge(edge, streams)]
    several = {Component.ROUTER: routers, Component.REGISTRAR: registrars}
    return [WorkerName(str(component), instance) for instance in range(several.get(component, 1))]


def workers_of_edge(edge: int, streams: int = 1) -> list[WorkerName]:
    """Those of one edge, which is number `edge`: it has `streams` edge-streams in a row."""
    readers = (WorkerName(EDGE_STREAM, edge * streams + place) for place in range(streams))
    return [*(WorkerName(name, edge) for name in EDGE_WORKERS), *readers]


ROUTER, REGISTRAR = str(Component.ROUTER), str(Component.REGISTRAR)
_LEAVING = re.compile(rf"{Component.ROUTER}\.(?:0|[1-9][0-9]?)")
"""A router beyond those that take new calls finishes what it has."""
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# RFC 1123 §2.1: no number ends a name.
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}", re.IGNORECASE)


def _check_address(text: str) -> str:
    if _HOST_NAME.fullmatch(text):
        return text.lower()
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        raise ValueError(f"{text!r} is neither an IP address nor the name of a host") from None
    if address.is_unspecified:
        raise ValueError(f"{text} stands for every address; name one that the other hosts can reach")
    return str(address)


def _check_interface(text: str) -> str:
    try:
        return str(ip_interface(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address with a prefix length, such as 10.0.0.1/24") from None


class HostSettings(BaseModel):
    """One host.

    `address`: where the other hosts reach it, an IP address or a name that DNS knows.
    `sip_addresses`: where phones see its edge, if that is not just `address`; needed where that is a name. `advertise`:
    the public IPv4 address to which the network maps its own; "" for that of all hosts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[str, AfterValidator(_check_address)]
    components: tuple[str, ...] = Field(min_length=1)
    sip_addresses: tuple[Annotated[str, AfterValidator(_check_interface)], ...] = ()
    advertise: PublicAddress = ""


def edge_hosts(hosts: Mapping[str, HostSettings]) -> list[str]:
    """The hosts that have an edge. The place in this list is the number of the edge: `edge-rx.1` is on the second."""
    return [host for host, each in hosts.items() if Component.EDGE in each.components]


def listed_routers(hosts: Mapping[str, HostSettings]) -> int:
    """How many routers the hosts name one by one (`router.0`)."""
    return sum(name.startswith(f"{ROUTER}.") for host in hosts.values() for name in host.components)


def listed_registrars(hosts: Mapping[str, HostSettings]) -> int:
    """How many registrars the hosts name, one by one (`registrar.0`), or each its only one (`registrar`)."""
    names = (name for host in hosts.values() for name in host.components)
    return sum(name == REGISTRAR or name.startswith(f"{REGISTRAR}.") for name in names)


def place(
    hosts: Mapping[str, HostSettings], routers: int, streams: int = 1, registrars: int = 1
) -> dict[str, str]:
    """Return the host of each worker (`router.0`); ValueError, for people, if one has none or several."""
    _check_distinct(hosts)
    _check_edge(hosts)
    places: dict[str, str] = {}
    edges, of_registrars = edge_hosts(hosts), _hosts_of_registrars(hosts, registrars)
    for host, each in hosts.items():
        edge = edges.index(host) if host in edges else 0
        parts = {
            Component.EDGE: list(map(str, workers_of_edge(edge, streams))),
            Component.REGISTRAR: of_registrars.get(host, []),
        }
        for worker in _workers(each.components, host, routers, registrars, parts):
            if worker in places:
                raise ValueError(f"hosts: {worker} is on {places[worker]} and on {host}")
            places[worker] = host
    leaving = sum(_LEAVING.fullmatch(worker) is not None for worker in places) - routers
    needed = all_workers(routers + max(0, leaving), streams, max(1, len(edges)), registrars)
    missing = [worker for worker in needed if worker not in places]
    if missing:
        raise ValueError(f"hosts: no host has {', '.join(missing)} among its components")
    return places


def standbys(places: Mapping[str, str], routers: int) -> dict[int, int]:
    """Which router takes over the calls of which: the next one by number on another host.

    A router beside an edge has none: what it sends on the sockets of that passes nobody who could fence it.
    """
    hosts = [places[f"{ROUTER}.{number}"] for number in range(routers)]
    edges = {host for worker, host in places.items() if worker.startswith(f"{EDGE_WORKERS[0]}.")}
    found: dict[int, int] = {}
    for number, host in enumerate(hosts):
        others = (*range(number + 1, routers), *range(number))
        elsewhere = [other for other in others if hosts[other] != host]
        if elsewhere and host not in edges:
            found[number] = elsewhere[0]
    return found


def all_workers(routers: int, streams: int = 1, edges: int = 1, registrars: int = 1) -> list[str]:
    """Every worker without which a switchboard is not whole."""
    needed = (each for each in Component if each not in OPTIONAL)
    counts = routers, streams, edges, registrars
    return [str(worker) for component in needed for worker in workers_of(component, *counts)]


def _hosts_of_registrars(hosts: Mapping[str, HostSettings], registrars: int) -> dict[str, list[str]]:
    """What `registrar` means on each host: all of them, or one each, by the order of the hosts, as with edges."""
    named = [host for host, each in hosts.items() if REGISTRAR in each.components]
    everyone = list(map(str, workers_of(Component.REGISTRAR, 0, registrars=registrars)))
    if len(named) < 2:
        return dict.fromkeys(named, everyone)
    if len(named) != registrars:
        raise ValueError(
            f"hosts: registrars is {registrars}, and {len(named)} hosts have a registrar: {', '.join(named)}"
        )
    return {host: [worker] for host, worker in zip(named, everyone, strict=True)}


def _check_distinct(hosts: Mapping[str, HostSettings]) -> None:
    seen: dict[str, str] = {}
    for host, each in hosts.items():
        if each.address in seen:
            raise ValueError(f"hosts: {seen[each.address]} and {host} have the same address {each.address}")
        seen[each.address] = host


def _check_edge(hosts: Mapping[str, HostSettings]) -> None:
    """Routers on other hosts have to know where phones see the edge."""
    edges = edge_hosts(hosts)
    if len(edges) > MOST_EDGES:
        raise ValueError(f"hosts: {len(edges)} hosts have the edge; {MOST_EDGES} may")
    for host in edges:
        if not (is_address(hosts[host].address) or hosts[host].sip_addresses):
            raise ValueError(f"hosts: {host} has the edge and a name as its address: it needs sip_addresses")


def _workers(
    components: Iterable[str],
    host: str,
    routers: int,
    registrars: int,
    own: Mapping[Component, list[str]],
) -> Iterator[str]:
    """`own`: what components are on this host that others may have, too."""
    everyone = {each: list(map(str, workers_of(each, routers, registrars=registrars))) for each in Component}
    singles = [*everyone[Component.REGISTRAR], *everyone[Component.ROUTER]]
    parts = {str(each): own.get(each, workers) for each, workers in everyone.items()}
    parts |= {worker: [worker] for worker in singles}
    for name in components:
        if _LEAVING.fullmatch(name):
            parts.setdefault(name, [name])
        if name not in parts:
            raise ValueError(f"hosts.{host}: there is no component {name!r}; known are {', '.join(parts)}")
        yield from parts[name]
