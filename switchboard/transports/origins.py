"""Which web pages may open a WebSocket to us (RFC 6454, RFC 6455 §10.2): what a browser says of them decides.

A page of ours may, at whatever port of the same host it is, and one of `ws_origins`. The host has to be an address or
a name that we know: any other name may be one that its owner made to point here (DNS rebinding).
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from switchboard.settings.model import Settings

ANY = "*"
LOCALHOST = "localhost"


class Origins:
    """`names`: of ours, in lower case. `others`: origins that are allowed, or ANY."""

    def __init__(self, names: Collection[str], others: Collection[str] = ()) -> None:
        self._names = frozenset(names)
        self._others = frozenset(others)

    @classmethod
    def of(cls, settings: Settings) -> "Origins":
        """What the settings allow."""
        public = urlsplit(settings.console_url).hostname
        names = {socket.gethostname().lower(), *settings.domains, *settings.console_names}
        return cls(names | ({public} if public else set()), settings.ws_origins)

    def allows(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` ("": it is no page) may connect to `host`, the Host header; both untrusted."""
        if not origin or ANY in self._others or origin.lower() in self._others:
            return True
        page, here = _hostname(origin), _hostname(f"//{host}")
        return bool(page) and page == here and self._knows(here)

    def _knows(self, host: str) -> bool:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host == LOCALHOST or host in self._names
        return True


def _hostname(url: str) -> str:
    """The host in lower case; "" if there is none."""
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""
