"""The address that peers see of a switchboard behind static address translation, as of a machine in a cloud.

Theory. Such a machine has a private IPv4 address, and its network maps a public one to it, port by port. Via and
Record-Route (RFC 3261 §18.1.1, §16.6) have to name the public one to peers outside, and the private one to peers
inside: those with a private address themselves. They are written from the local address of a flow. So that address
is replaced where a message comes in and where a way out is chosen; where it goes out, the kernel chooses the source.
"""

from ipaddress import IPv4Network
from typing import Final

from switchboard.sip.translation import address_of

INNER: Final = tuple(
    map(
        IPv4Network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
    )
)
"""Private networks (RFC 1918, 6598), link-local addresses and the machine itself."""


def is_inner(host: str) -> bool:
    """Whether an IP address is one of `INNER`; other texts, and IPv6, are not."""
    address = address_of(host)
    return address is not None and any(address in network for network in INNER)


def seen_address(advertised: str, local: str, peer: str) -> str:
    """What `peer` (an IP address without brackets) sees of our address `local`.

    `advertised`: the public IPv4 address; "" if there is none.
    """
    is_outside = advertised and is_inner(local) and ":" not in peer and not is_inner(peer)
    return advertised if is_outside else local
