"""Own and other addresses: the domain that is ours (RFC 3261 §16.5), and the networks that an operator names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from switchboard.sip.flow import TCP, UDP, is_dialled, is_secure
from switchboard.sip.uri import SipUri

DEFAULT_PORT: Final = 5060
IPV6_SITE: Final = 64
"""Bits of an IPv6 address that stand for one source: it has the others for itself."""
_REMEMBERED = 1024
_REMEMBERED_LENGTH = 256  # a maddr may be as long as a datagram


class OwnDomains:
    """Tells our own URIs from everybody else's.

    `addresses`: IP addresses without brackets. `domains`: host names. `port`: where we listen.
    All of them are names of one domain: a user registered under one is called under any. `realm`: what our
    users' credentials are for (§22.1), "" if nobody is asked for any. `transports`: those that are on, each with its
    port (`sip/flow.py`); UDP and TCP at `port` if nothing is said. `machine`: all addresses of the edge's machine.
    `takes_tel`: whether `tel:` URIs are numbers of ours (`dial_plan.py`).
    """

    def __init__(
        self,
        addresses: Iterable[str],
        domains: Iterable[str],
        port: int,
        realm: str = "",
        transports: Mapping[int, int] | None = None,
        machine: Iterable[str] = (),
        away: Iterable[str] = (),
        takes_tel: bool = False,
    ) -> None:
        self.takes_tel = takes_tel
        self.realm = realm
        addresses = tuple(addresses)
        self.hosts = frozenset(map(canonical_host, (*addresses, *domains)))
        self._port = port
        self._transports = {UDP: port, TCP: port} if transports is None else dict(transports)
        ports = {port, *self._transports.values()}
        self.ports = frozenset((None, DEFAULT_PORT, *ports))
        self.listening = frozenset((None, *ports)) if DEFAULT_PORT in ports else frozenset(ports)
        self._away = frozenset(map(canonical_host, away))
        self._not_dialled = self.hosts | set(map(canonical_host, machine))
        self._is_loopback_only = all(map(_is_loopback, addresses))
        self.dialled = frozenset(filter(is_dialled, self._transports))
        """Transports over which we can send to an address, though nothing came from there."""

    @property
    def is_secure(self) -> bool:
        """Whether there is a way that `sips` allows."""
        return any(map(is_secure, self._transports))

    def may_dial(self, host: str) -> bool:
        """Whether a connection may be made to an address: not to the other services of this machine."""
        is_here = canonical_host(host) in self._not_dialled
        return not is_here and (self._is_loopback_only or not _is_loopback(host))

    def port_of(self, transport: int) -> int:
        """The port at which a peer reaches us over that transport."""
        return self._transports.get(transport, self._port)

    def owns(self, uri: SipUri) -> bool:
        """Whether `uri` names a user or resource of ours (§16.5), and no maddr leads elsewhere (§19.1.1)."""
        if not (uri.has_host and uri.port in self.ports and canonical_host(uri.host) in self.hosts):
            return False
        maddr = uri.param("maddr")
        return not maddr or self.is_listening_at(maddr, uri.port or DEFAULT_PORT)

    def is_host(self, host: str) -> bool:
        """Whether `host` is a name of ours, whatever the port."""
        return canonical_host(host) in self.hosts

    def may_send_from(self, host: str, port: int) -> bool:
        """Whether something can leave from that address of ours."""
        return self.is_listening_at(host, port) and not (self._away and canonical_host(host) in self._away)

    def is_listening_at(self, host: str, port: int | None) -> bool:
        """Whether a datagram to `host` and `port` would come back to us."""
        return port in self.listening and canonical_host(host) in self.hosts


@lru_cache(_REMEMBERED)
def _is_loopback(host: str) -> bool:
    try:
        return ip_address(canonical_host(host)).is_loopback
    except ValueError:
        return False


def canonical_host(host: str) -> str:
    """Return `host` in the form in which two spellings of one host are equal."""
    return _canonical_cached(host) if len(host) <= _REMEMBERED_LENGTH else _canonical(host)


@lru_cache(_REMEMBERED)
def _canonical_cached(host: str) -> str:
    return _canonical(host)


def _canonical(host: str) -> str:
    bare = host.strip("[]").lower()
    if ":" not in bare:
        return bare.rstrip(".")
    try:
        address = IPv6Address(bare.partition("%")[0].replace(":::", "::"))
    except ValueError:
        return bare
    return str(address.ipv4_mapped or address)


IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that are written as `10.0.0.0/8`, `2001:db8::/32` or one address. ValueError."""
    return tuple(map(ip_network, texts))


def parse_host(host: str) -> IpAddress:
    """Return the address of a datagram's source, the name of its interface left out."""
    return ip_address(host.partition("%")[0])


def site_of(host: str) -> str:
    """What stands for one source: an IPv4 address, or the /64 of an IPv6 address. Any other text is itself."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_SITE), strict=False))


def is_within(address: IpAddress, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class AccessList:
    """An access list: it lets in addresses that are not denied, and allowed if there is an allow list."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def lets_in(self, address: IpAddress) -> bool:
        """Whether `address` may."""
        return not is_within(address, self.deny) and (not self.allow or is_within(address, self.allow))
