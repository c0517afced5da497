"""Lists of networks: whom an operator names by address."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that are written as `10.0.0.0/8`, `2001:db8::/32` or one address. ValueError."""
    return tuple(map(ip_network, texts))


def parse_host(host: str) -> IpAddress:
    """Return the address of a datagram's source, the name of its interface left out."""
    return ip_address(host.partition("%")[0])


def is_within(address: IpAddress, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class AccessList:
    """Whom a list lets in: who is not denied, and is allowed if anybody is named there."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def lets_in(self, address: IpAddress) -> bool:
        """Whether `address` may."""
        return not is_within(address, self.deny) and (not self.allow or is_within(address, self.allow))
