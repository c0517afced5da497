"""The addresses of hosts that the settings know by a name.

Theory. libzmq would look a name up in its I/O thread, where a DNS server that is silent stops every socket of the
process. Here a thread for each look-up asks the system's resolver, and connections are made to what it found last.
Who connects anew asks again, so a host may come back with another address.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from switchboard.bus.endpoints import is_address

FIRST_WAIT_S = 1.0
"""For the first answer about a name, when a process starts."""
FRESH_S = 1.5
"""An answer serves this time; then the name is looked up again, if somebody asks."""
LookUp = Callable[[str], str]


@dataclass
class _Name:
    """`address`: "" if none was found. `found_at`: monotonic s, when a look-up last ended."""

    address: str = ""
    found_at: float | None = None
    is_asked: bool = False
    answered: Event = field(default_factory=Event)


class HostNames:
    """Finds the addresses of hosts; `look_up` blocks, and returns "" if there is none."""

    def __init__(self, look_up: LookUp | None = None) -> None:
        self._look_up = look_up or first_address
        self._names: dict[str, _Name] = {}
        self._lock = Lock()

    def resolve(self, endpoint: str) -> str:
        """`tcp://NAME:PORT` with an address for the name; as it is, if it has one; "" if none is known now.

        Waits at most `FIRST_WAIT_S`, and only the first time that a name is asked for.
        """
        scheme, _, rest = endpoint.partition("://")
        host, _, port = rest.rpartition(":")
        address = host if is_address(host.strip("[]")) else self._address(host)
        shown = f"[{address}]" if ":" in address and not address.startswith("[") else address
        return f"{scheme}://{shown}:{port}" if shown else ""

    def _address(self, name: str) -> str:
        is_new = name not in self._names
        known = self._names.setdefault(name, _Name())
        if not self._is_fresh(known):
            self._ask(name, known)
            if is_new:
                known.answered.wait(FIRST_WAIT_S)
        return known.address if self._is_fresh(known) else ""

    def _is_fresh(self, known: _Name) -> bool:
        return known.found_at is not None and time.monotonic() - known.found_at < FRESH_S

    def _ask(self, name: str, known: _Name) -> None:
        with self._lock:
            if known.is_asked:
                return
            known.is_asked = True
        Thread(target=self._find, args=(name, known), daemon=True).start()

    def _find(self, name: str, known: _Name) -> None:
        """A name that DNS cannot answer for just now keeps its address."""
        known.address = self._look_up(name) or known.address
        known.found_at = time.monotonic()
        with self._lock:
            known.is_asked = False
        known.answered.set()


def first_address(name: str) -> str:
    """The first address that the system has for a name; "" if it has none, or cannot tell."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ""
    return str(found[0][4][0])
