"""The networks whose word counts without credentials: gateways, other proxies."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

_REMEMBERED = 4096


class Trusted:
    """`host in trusted`: whether the IP address (never a name) is in one of `networks`, as 10.1.0.0/16."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(network, strict=False) for network in networks]
        self._cached = lru_cache(_REMEMBERED)(self._look_up)

    def __contains__(self, host: str) -> bool:
        return bool(self._networks) and self._cached(host)

    def _look_up(self, host: str) -> bool:
        try:
            address = ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)
