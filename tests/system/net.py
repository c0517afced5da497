"""The UDP sockets of all fake phones of one test, and the one loop that reads them."""

import heapq
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from secrets import token_hex
from types import TracebackType
from typing import Self, TypeVar

from system.sipmsg import Address, host_port

Found = TypeVar("Found")

PATIENCE_S = 10.0
"""How long a phone waits for what must come."""
QUIET_S = 0.3
"""How long silence has to last to count as silence."""
TRACE_KEPT = 20_000
TRACE_SHOWN = 200


class Net:
    """Reads for every endpoint whenever one of them waits; keeps a trace for the report of a failure.

    With `retransmits` its phones send again what is not answered, as RFC 3261 has them do over UDP.
    """

    def __init__(self, proxy: Address, retransmits: bool = False) -> None:
        self.proxy = proxy
        self.host = _host_towards(proxy)
        """The address that its phones have."""
        self.retransmits = retransmits
        self.run = token_hex(3)
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._trace: deque[tuple[float, str, bytes]] = deque(maxlen=TRACE_KEPT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.close()
        self._selector.close()

    def add(self, opened: socket.socket, endpoint: "Endpoint") -> None:
        """Read for `endpoint` from now on."""
        self._selector.register(opened, selectors.EVENT_READ, endpoint)

    def remove(self, opened: socket.socket) -> None:
        """Read no more for the endpoint of this socket."""
        self._selector.unregister(opened)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do `action` in so many seconds, while somebody waits."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), action))

    def knows(self, source: Address) -> bool:  # noqa: ARG002
        """Whether its phones listen to `source`."""
        return True

    def blame(self, endpoint: "Endpoint", error: AssertionError) -> None:  # noqa: ARG002
        """What arrived at `endpoint` should not have."""
        raise error

    def poll(self, find: Callable[[], Found | None], timeout_s: float) -> Found | None:
        """Return the first true value of `find`, reading until it has one; None after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not (found := find()):
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._pump(left)
        return found

    def wait_for(self, find: Callable[[], Found | None], what: str, timeout_s: float = PATIENCE_S) -> Found:
        """Return the first true value of `find`; AssertionError if it has none within `timeout_s`."""
        found = self.poll(find, timeout_s)
        assert found is not None, f"{what} did not come within {timeout_s:g} s"
        return found

    def listen(self, duration_s: float = QUIET_S) -> None:
        """Read whatever comes within `duration_s`: for what must not come."""
        self.poll(lambda: None, duration_s)

    def record(self, line: str, raw: bytes) -> None:
        """Add a datagram to the trace."""
        self._trace.append((time.monotonic(), line, raw))

    def trace(self, *names: str) -> str:
        """The last datagrams (of the endpoints `names` if any are given); instants in s since the first."""
        of_interest = [entry for entry in self._trace if not names or entry[1].split(" ")[0] in names]
        if not of_interest:
            return "(nothing was sent or received)"
        start = of_interest[0][0]
        return "\n".join(
            f"{at - start:7.3f} {line}\n{raw.decode(errors='backslashreplace')}"
            for at, line, raw in of_interest[-TRACE_SHOWN:]
        )

    def _pump(self, timeout_s: float) -> None:
        if self._timers:
            timeout_s = min(timeout_s, max(0.0, self._timers[0][0] - time.monotonic()))
        for key, _ in self._selector.select(timeout_s):
            try:
                key.data.read()
            except AssertionError as error:
                self.blame(key.data, error)
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()


def _host_towards(proxy: Address) -> str:
    with socket.socket(socket.AF_INET6 if ":" in proxy[0] else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(proxy)
        return str(probe.getsockname()[0])


class Endpoint:
    """One UDP socket on a free port of `host`; `receive` is called with every datagram and its source."""

    is_reliable = False
    """Whether nothing has to be sent again."""

    def __init__(self, net: Net, name: str, host: str, receive: Callable[[bytes, Address], None]) -> None:
        self.net = net
        self.name = name
        self._receive = receive
        self._socket = self._open(host)
        self._socket.setblocking(False)
        self.address: Address = (host, self._socket.getsockname()[1])
        net.add(self._socket, self)

    def _open(self, host: str) -> socket.socket:
        opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind((host, 0))
        return opened

    def send(self, raw: bytes, destination: Address) -> None:
        """Send one datagram; nothing, once it was closed: a phone that was unplugged repeats nothing."""
        if self._socket.fileno() < 0:
            return
        self.net.record(f"{self.name} {host_port(self.address)} -> {host_port(destination)}", raw)
        self._socket.sendto(raw, destination)

    def close(self) -> None:
        """Hear nothing any more."""
        self.net.remove(self._socket)
        self._socket.close()

    def read(self) -> None:
        """Read one datagram and hand it on."""
        raw, source = self._socket.recvfrom(65535)
        address: Address = source[0], source[1]
        if not self.net.knows(address):
            return
        self.net.record(f"{self.name} {host_port(self.address)} <- {host_port(address)}", raw)
        self._receive(raw, address)
