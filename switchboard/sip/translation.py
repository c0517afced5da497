"""Address translation (NAT) as seen from outside: how to reach a user agent that names an address of its own network
(RFC 3581 §1).

Theory. A user agent names its address twice, in Contact and in Via. Its datagrams show a third one, their source. A
contact that differs from the source proves nothing: gateways send from one address and listen at another, and a program
may register for a phone. So the source replaces the contact only if the contact cannot be right: if the Via names the
same address, although the datagrams come from another one; if it is a private address, and the source is not; or if no
other host can be there, as at 0.0.0.0 or 127.0.0.1.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

_NOWHERE = ".invalid"
"""No name below it exists (RFC 2606 §2): what user agents write that know no address of theirs (RFC 7118 §5)."""

_LONGEST = 255
_SENDER_ITSELF = ("localhost", "localhost.localdomain")
_EVERYBODY = IPv4Address("255.255.255.255")

IpAddress = IPv4Address | IPv6Address


def is_translated(contact: str, via: str, source: str) -> bool:
    """Whether who names the host `contact` is reached at the address `source` of its datagrams instead.

    `via`: the host in its Via, "" if there is none. Hosts with or without brackets.
    """
    named, seen = address_of(contact), address_of(source)
    is_far = seen is not None and not seen.is_loopback
    if named is None:
        return contact.endswith(_NOWHERE) or (is_far and contact in _SENDER_ITSELF)
    if named == seen:
        return False
    if named == address_of(via) or named.is_unspecified or named.is_multicast or named == _EVERYBODY:
        return True
    return seen is not None and ((is_far and named.is_loopback) or (seen.is_global and not named.is_global))


def doubt(contact: str, source: str) -> str:
    """What is odd, for people, about who names the host `contact` and sends from the address `source`; "" for nothing.

    A name says nothing, unless nobody can have it.
    """
    named, seen = address_of(contact), address_of(source)
    if named is None:
        is_odd = contact.endswith(_NOWHERE) or contact in _SENDER_ITSELF
        return f"contact names {contact}, where nobody is" if is_odd else ""
    if seen is None or named == seen:
        return ""
    if is_nowhere(contact) and not seen.is_loopback:
        return f"contact names {named}, where nobody is"
    return f"contact names {named}"


def is_nowhere(host: str) -> bool:
    """Whether nobody else is reached at this IP address: the sender itself, nobody, or everybody."""
    address = address_of(host)
    if address is None:
        return False
    return address.is_loopback or address.is_unspecified or address.is_multicast or address == _EVERYBODY


def is_private(host: str) -> bool:
    """Whether it is an IP address that means something else, or nothing, in another network."""
    address = address_of(host)
    return address is not None and not address.is_global


def address_of(host: str) -> IpAddress | None:
    """Return the IP address that `host` is, its zone left out; None for a name, or other text of any length."""
    return _address_cached(host) if len(host) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _address_cached(host: str) -> IpAddress | None:
    if not (host[:1].isdigit() or ":" in host):
        return None
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
