"""Which Host a request may name: a page of another name that points here (DNS rebinding) gets nothing."""

import ipaddress
import re
from collections.abc import Collection

LOCALHOST = "localhost"
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]{1,5})?")


def is_known_host(header: str, names: Collection[str], only_loopback: bool) -> bool:
    """Whether the Host header (untrusted) is an address, which no name can be rebound to, or one of `names`.

    `only_loopback`: of the addresses only those of this machine alone.
    """
    match = _HOST.fullmatch(header)
    if not match:
        return False
    host = (match["v6"] or match["name"]).lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == LOCALHOST or host in names
    return address.is_loopback or not only_loopback
