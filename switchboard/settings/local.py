"""The addresses of this machine: which are ours, and which of them a peer sees (I/O rim: asks the system)."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

import psutil

from switchboard.bounded import Cache
from switchboard.core.domains import OwnDomains
from switchboard.settings.model import Settings
from switchboard.settings.site import host_of, is_here
from switchboard.sip.advertised import seen_address
from switchboard.sip.flow import NAMES

Interface = IPv4Interface | IPv6Interface

EDGE = "edge-rx.0"
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


def sip_interfaces(settings: Settings) -> list[Interface]:
    """Return where phones may reach the edge: this machine's addresses, or those its host is said to have."""
    if is_here(EDGE, settings):
        return interfaces()
    host = settings.hosts[host_of(EDGE, settings)]
    return [ip_interface(address) for address in host.sip_addresses or (host.address,)]


def own_addresses(settings: Settings) -> list[str]:
    """Return the addresses at which `settings` let us be reached, without brackets."""
    here = [settings.sip_host] if settings.sip_host else [str(each.ip) for each in sip_interfaces(settings)]
    return [*here, settings.advertise] if settings.advertise else here


def own_domains(settings: Settings) -> OwnDomains:
    """Return what is ours under `settings`, as the machine's addresses are now."""
    realm = settings.realm if settings.auth == "on" else ""
    ports = settings.ports
    transports = {number: ports[name.lower()] for number, name in NAMES.items() if name.lower() in ports}
    machine = [str(each.ip) for each in sip_interfaces(settings)]
    return OwnDomains(
        own_addresses(settings), settings.domains, settings.sip_port, realm, transports, machine
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
        self._addresses = _local_addresses(settings)

    def refresh(self) -> bool:
        """Look at the machine's addresses and routes as they are now; return whether they have changed."""
        before, self._addresses = self._addresses, _local_addresses(self._settings)
        if self._addresses == before:
            return False
        self._known.clear()
        return True

    def __call__(self, host: str) -> str:
        """As `LocalAddresses.source_address`; outside, the address that is advertised."""
        found = self._known.get(host)
        if found is None:
            local = self._addresses.source_address(host)
            found = self._known.keep(host, seen_address(self._settings.advertise, local, host))
        return found


def _local_addresses(settings: Settings) -> LocalAddresses:
    if settings.sip_host:
        version = ip_address(settings.sip_host).version
        return LocalAddresses((), {version: settings.sip_host})
    found = tuple(sip_interfaces(settings))
    if is_here(EDGE, settings):
        return LocalAddresses(found, dict(_default_addresses((4, 6))))
    return LocalAddresses(found, {each.version: str(each.ip) for each in reversed(found)})


def _default_addresses(versions: Iterable[int]) -> Iterable[tuple[int, str]]:
    for version in versions:
        with suppress(OSError):
            yield version, _address_towards(*_FAR_AWAY[version])


def _address_towards(family: socket.AddressFamily, peer: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        return str(probe.getsockname()[0])
