"""The UDP sockets of all fake phones of one test, and the one loop that reads them."""

import select
import socket
import time
from collections.abc import Callable
from secrets import token_hex
from types import TracebackType
from typing import TypeVar

from system.sipmsg import Address, host_port

Found = TypeVar("Found")

PATIENCE_S = 4.0
"""How long a phone waits for what must come."""
QUIET_S = 0.3
"""How long silence has to last to count as silence."""
TRACE_KEPT = 200


class Net:
    """Reads for every endpoint whenever one of them waits; keeps a trace for the report of a failure."""

    def __init__(self, proxy: Address) -> None:
        self.proxy = proxy
        self.run = token_hex(3)
        self._endpoints: dict[socket.socket, Endpoint] = {}
        self._trace: list[tuple[float, str, bytes]] = []

    def __enter__(self) -> "Net":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for opened in self._endpoints:
            opened.close()

    def add(self, opened: socket.socket, endpoint: "Endpoint") -> None:
        """Read for `endpoint` from now on."""
        self._endpoints[opened] = endpoint

    def poll(self, find: Callable[[], Found | None], timeout_s: float) -> Found | None:
        """Return what `find` finds, reading until it does; None after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (found := find()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._pump(left)
        return found

    def wait_for(self, find: Callable[[], Found | None], what: str, timeout_s: float = PATIENCE_S) -> Found:
        """Return what `find` finds; AssertionError if it finds nothing within `timeout_s`."""
        found = self.poll(find, timeout_s)
        assert found is not None, f"{what} did not come within {timeout_s:g} s"
        return found

    def listen(self, duration_s: float = QUIET_S) -> None:
        """Read whatever comes within `duration_s`: for what must not come."""
        self.poll(lambda: None, duration_s)

    def record(self, line: str, raw: bytes) -> None:
        """Add a datagram to the trace."""
        self._trace.append((time.monotonic(), line, raw))

    def trace(self) -> str:
        """The last datagrams as text, instants in seconds since the first."""
        if not self._trace:
            return "(nothing was sent or received)"
        start = self._trace[0][0]
        return "\n".join(
            f"{at - start:7.3f} {line}\n{raw.decode(errors='backslashreplace')}"
            for at, line, raw in self._trace[-TRACE_KEPT:]
        )

    def _pump(self, timeout_s: float) -> None:
        for ready in select.select(list(self._endpoints), [], [], timeout_s)[0]:
            self._endpoints[ready].read()


class Endpoint:
    """One UDP socket on a free port of `host`; `receive` is called with every datagram and its source."""

    def __init__(self, net: Net, name: str, host: str, receive: Callable[[bytes, Address], None]) -> None:
        self.net = net
        self._name = name
        self._receive = receive
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.address: Address = (host, self._socket.getsockname()[1])
        net.add(self._socket, self)

    def send(self, raw: bytes, destination: Address) -> None:
        """Send one datagram."""
        self.net.record(f"{self._name} {host_port(self.address)} -> {host_port(destination)}", raw)
        self._socket.sendto(raw, destination)

    def read(self) -> None:
        """Read one datagram and hand it on."""
        raw, source = self._socket.recvfrom(65535)
        address: Address = source[0], source[1]
        self.net.record(f"{self._name} {host_port(self.address)} <- {host_port(address)}", raw)
        self._receive(raw, address)
