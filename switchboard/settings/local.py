"""The addresses of this machine: which are ours, and which of them a peer sees (I/O rim: asks the system)."""

import socket
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import NamedTuple

import psutil

from switchboard.bounded import Cache
from switchboard.bus.endpoints import is_address
from switchboard.core.domains import OwnDomains
from switchboard.settings.hosts import HostSettings
from switchboard.settings.model import Settings
from switchboard.settings.site import edge_here, edges
from switchboard.sip.advertised import seen_address
from switchboard.sip.flow import NAMES, packed_address

Interface = IPv4Interface | IPv6Interface

_REMEMBERED = 10_000
_FAR_AWAY = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}


def interfaces() -> list[Interface]:
    """Return the machine's addresses with their networks; link-local IPv6 ones are left out."""
    found = []
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6) and address.netmask:
                interface = _interface(address.address, address.netmask)
                if not (interface.version == 6 and interface.ip.is_link_local):
                    found.append(interface)
    return found


def _interface(address: str, netmask: str) -> Interface:
    bare = address.partition("%")[0]
    if ":" in bare:
        prefix = bin(int(ip_address(netmask))).count("1")
        return ip_interface(f"{bare}/{prefix}")
    return ip_interface(f"{bare}/{netmask}")


class EdgePlace(NamedTuple):
    """Where phones may reach an edge, which is this `number`.

    `machine`: the addresses of its machine, with their networks. `bound`: the only one at which it listens, "" for all
    of them. `advertised`: what peers outside see instead (`sip/advertised.py`).
    """

    number: int
    machine: Sequence[Interface]
    bound: str
    advertised: str
    is_here: bool

    @property
    def addresses(self) -> list[str]:
        """Its addresses, without brackets."""
        found = [self.bound] if self.bound else [str(each.ip) for each in self.machine]
        return [*found, self.advertised] if self.advertised else found

    @property
    def networks(self) -> list[Interface]:
        """Those in which it is reached."""
        if not self.bound:
            return list(self.machine)
        return [each for each in self.machine if str(each.ip) == self.bound] or [ip_interface(self.bound)]


def edge_places(settings: Settings) -> list[EdgePlace]:
    """Where each edge is; the one of here first.

    The only one is at all addresses of its machine, on another host at those that the settings list; several are there.
    """
    hosts, here = edges(settings), edge_here(settings)
    places = [_place(number, host, number == here, settings) for number, host in enumerate(hosts)]
    return sorted(places, key=lambda each: not each.is_here)


def _place(number: int, host: str, is_here: bool, settings: Settings) -> EdgePlace:
    known = settings.hosts.get(host)
    advertised = (known.advertise if known else "") or settings.advertise
    bound = settings.sip_host if is_here or len(edges(settings)) == 1 else ""
    is_told_apart = len(edges(settings)) > 1  # only by what all hosts know of it
    machine = interfaces() if known is None or (is_here and not is_told_apart) else _listed(known)
    return EdgePlace(number, machine, bound, advertised, is_here)


def _listed(host: HostSettings) -> list[Interface]:
    """Where a host's edge is said to be reached: some of that it may have now and then only, as a shared address."""
    addresses = host.sip_addresses or ((host.address,) if is_address(host.address) else ())
    return [ip_interface(address) for address in addresses]


def own_addresses(settings: Settings) -> list[str]:
    """Return the addresses at which `settings` let us be reached, without brackets."""
    return list(dict.fromkeys(each for place in edge_places(settings) for each in place.addresses))


def edges_by_address(settings: Settings) -> dict[bytes, tuple[int, ...]]:
    """The edges that have each of our addresses, which is as in a packed flow; nobody, if there is only one edge.

    An address that several have, one after the other, is that of the first of them that can be reached.
    """
    found: dict[bytes, tuple[int, ...]] = {}
    if len(edges(settings)) > 1:
        for place in sorted(edge_places(settings)):
            for address in place.addresses:
                known = found.setdefault(packed_address(address), ())
                found[packed_address(address)] = (*known, place.number)
    return found


def own_domains(settings: Settings, away: Collection[int] = ()) -> OwnDomains:
    """Return what is ours under `settings`, as the machine's addresses are now. `away`: edges that send nothing."""
    realm = settings.realm if settings.auth == "on" else ""
    ports = settings.ports
    transports = {number: ports[name.lower()] for number, name in NAMES.items() if name.lower() in ports}
    places = edge_places(settings)
    left = {address for place in places if place.number not in away for address in place.addresses}
    gone = {address for place in places for address in place.addresses} - left
    machine = [str(each.ip) for place in places for each in place.machine]
    addresses = own_addresses(settings)
    return OwnDomains(
        addresses,
        settings.domains,
        settings.sip_port,
        realm,
        transports,
        machine,
        gone if left else (),
        takes_tel=settings.has_dial_plan,
    )


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """Chooses the address of ours that a peer sees: the one in its network, else the default route's."""

    networks: tuple[Interface, ...]
    defaults: dict[int, str]

    def source_address(self, host: str) -> str:
        """Return our address towards the IP address `host`, without brackets; "" if we have none there."""
        peer = ip_address(host.partition("%")[0])
        best = max(
            (each for each in self.networks if peer in each.network),
            key=lambda each: each.network.prefixlen,
            default=None,
        )
        return str(best.ip) if best else self.defaults.get(peer.version, "")


class SourceAddresses:
    """Remembers which address of ours each peer sees, until the machine is looked at again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: Cache[str, str] = Cache(_REMEMBERED)
        self._away: Collection[int] = ()
        self._addresses, self._advertised = _local_addresses(settings, ())

    def refresh(self, away: Collection[int] = ()) -> bool:
        """Look at the machine's addresses and routes as they are now; return whether they have changed.

        `away`: the edges that send nothing now, unless those are all.
        """
        before = self._addresses, self._advertised, self._away
        self._away = away
        self._addresses, self._advertised = _local_addresses(self._settings, away)
        if (self._addresses, self._advertised, away) == before:
            return False
        self._known.clear()
        return True

    def __call__(self, host: str) -> str:
        """As `LocalAddresses.source_address`; outside, the address that is advertised."""
        found = self._known.get(host)
        if found is None:
            local = self._addresses.source_address(host)
            found = self._known.keep(host, seen_address(self._advertised.get(local, ""), local, host))
        return found


def _local_addresses(settings: Settings, away: Collection[int]) -> tuple[LocalAddresses, dict[str, str]]:
    """Our addresses, and what is advertised in the place of each."""
    places = edge_places(settings)
    places = [each for each in places if each.number not in away] or places
    advertised = {
        address: each.advertised for each in places for address in each.addresses if each.advertised
    }
    if len(places) == 1 and places[0].bound:
        bound = places[0].bound
        return LocalAddresses((), {ip_address(bound).version: bound}), advertised
    networks = tuple(network for each in places for network in each.networks)
    defaults: dict[int, str] = {each.version: str(each.ip) for each in reversed(networks)}
    if places[0].is_here and len(edges(settings)) == 1:
        defaults = dict(_default_addresses((4, 6)))
    return LocalAddresses(networks, defaults), advertised


def _default_addresses(versions: Iterable[int]) -> Iterable[tuple[int, str]]:
    for version in versions:
        with suppress(OSError):
            yield version, _address_towards(*_FAR_AWAY[version])


def _address_towards(family: socket.AddressFamily, peer: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        return str(probe.getsockname()[0])
