"""A media engine as the settings name it: `rtpengine://127.0.0.1:2223`."""

import re
from hashlib import blake2s
from ipaddress import ip_address
from typing import Final, NamedTuple

SCHEME: Final = "rtpengine"
DEFAULT_PORT: Final = 2223
SUM: Final = 3
"""Octets of the sum by which a dialog's Record-Route names an engine."""
_URL = re.compile(r"rtpengine://(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?/?")


class Engine(NamedTuple):
    """Where an engine takes NG commands: an IP address without brackets, and a UDP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Engine":
        """Return the engine that a URL names; ValueError, whose text is for people."""
        match = _URL.fullmatch(text.strip())
        port = int(match["port"] or DEFAULT_PORT) if match else 0
        if not match or not 0 < port < 65536:
            raise ValueError(f"{text!r} is no media engine, such as rtpengine://127.0.0.1:{DEFAULT_PORT}")
        try:
            return cls(str(ip_address(match["v6"] or match["v4"])), port)
        except ValueError:
            raise ValueError(f"{text!r} names no IP address") from None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}://{host}:{self.port}"

    @property
    def sum(self) -> bytes:
        """What a Record-Route names it by: the same for all who have it in their settings."""
        return blake2s(str(self).encode(), digest_size=SUM).digest()
