"""What is ours: the addresses and domains that this switchboard is responsible for (RFC 3261 §16.4-5)."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from switchboard.sip.uri import SipUri

DEFAULT_PORT: Final = 5060
_REMEMBERED = 1024
_REMEMBERED_LENGTH = 256  # a maddr may be as long as a datagram


class OwnDomains:
    """Tells our own URIs from everybody else's.

    `addresses`: IP addresses without brackets. `domains`: host names. `port`: where we listen.
    All of them are names of one domain: a user registered under one is called under any. `realm`: what our
    users' credentials are for (§22.1), "" if nobody is asked for any.
    """

    def __init__(self, addresses: Iterable[str], domains: Iterable[str], port: int, realm: str = "") -> None:
        self.realm = realm
        self.hosts = frozenset(map(canonical_host, (*addresses, *domains)))
        self.ports = frozenset((None, DEFAULT_PORT, port))
        self.listening = frozenset((None, port)) if port == DEFAULT_PORT else frozenset((port,))

    def owns(self, uri: SipUri) -> bool:
        """Whether `uri` names a user or resource of ours (§16.5), and no maddr leads elsewhere (§19.1.1)."""
        if not (uri.has_host and uri.port in self.ports and canonical_host(uri.host) in self.hosts):
            return False
        maddr = uri.param("maddr")
        return not maddr or self.is_listening_at(maddr, uri.port or DEFAULT_PORT)

    def is_host(self, host: str) -> bool:
        """Whether `host` is a name of ours, whatever the port."""
        return canonical_host(host) in self.hosts

    def is_listening_at(self, host: str, port: int | None) -> bool:
        """Whether a datagram to `host` and `port` would come back to us."""
        return port in self.listening and canonical_host(host) in self.hosts


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
