"""Where a server of ours listens: `ADDRESS:PORT`, `[ADDRESS]:PORT` or `off`, as settings say it."""

import ipaddress
import re

from switchboard.sip.host import format_hop

OFF = "off"
_LISTENING = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>[0-9]{1,5})")


def parse_listening(text: str) -> tuple[str, int] | None:
    """Return the IP address (without brackets) and the port; None for `off`. ValueError, for people."""
    if text.strip().lower() == OFF:
        return None
    match = _LISTENING.fullmatch(text.strip())
    if not match or not 0 < int(match["port"]) < 65536:
        raise ValueError(f"{text!r} is no address with a port, such as 127.0.0.1:8080")
    return str(ipaddress.ip_address(match["v6"] or match["v4"])), int(match["port"])


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens at the IP address."""
    return ipaddress.ip_address(address).is_loopback


def show_address(address: str, port: int) -> str:
    """As it stands in a URL."""
    return format_hop(address, port)
