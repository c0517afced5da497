"""Names to hops, as RFC 3263 §4 says for UDP: SRV unless a port is given, then addresses (I/O rim)."""

import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from switchboard.core.commands import Lookup
from switchboard.core.domains import DEFAULT_PORT
from switchboard.sip.grammar import read_host_port
from switchboard.sip.respond import Hop

TIMEOUT_S = 3.0
MOST_WAITING = 1000
"""Questions; whoever calls names that nobody serves would else make them wait without end."""
_THREADS = 4


class Resolver:
    """Resolves in the background; `fd` is readable while `answers` has something.

    `waiting`: questions whose answer was not taken yet. `refused`: those that were too many.
    """

    def __init__(self) -> None:
        self.waiting = self.refused = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")
        self._answers: SimpleQueue[tuple[Lookup, Hop | None]] = SimpleQueue()
        self.fd, self._ring = os.pipe()
        os.set_blocking(self.fd, False)

    def ask(self, lookup: Lookup) -> None:
        """Start to resolve `lookup`; its answer comes through `answers`. While too many wait, it is None."""
        self.waiting += 1
        if self.waiting > MOST_WAITING:
            self.refused += 1
            self._answer(lookup, None)
            return
        self._pool.submit(resolve, lookup).add_done_callback(lambda future: self._done(lookup, future))

    def answers(self) -> list[tuple[Lookup, Hop | None]]:
        """Return the answers that have come; a hop of None means that the name leads nowhere."""
        _empty(self.fd)
        found = []
        while True:
            try:
                found.append(self._answers.get_nowait())
            except Empty:
                self.waiting -= len(found)
                return found

    def close(self) -> None:
        """Stop; answers that are still to come are lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, lookup: Lookup, future: "Future[Hop | None]") -> None:
        if not future.cancelled():
            self._answer(lookup, future.result())

    def _answer(self, lookup: Lookup, hop: Hop | None) -> None:
        self._answers.put((lookup, hop))
        os.write(self._ring, b"!")


def resolve(lookup: Lookup) -> Hop | None:
    """Return the first hop that `lookup` leads to, None if there is none. May block for seconds."""
    host, port = lookup
    if not read_host_port(host).is_host:  # the system's resolver takes 10.1 for an address
        return None
    if port is None:
        host, port = _service(host) or (host, DEFAULT_PORT)
    address = _address(host)
    return (address, port) if address else None


def _service(host: str) -> Hop | None:
    import dns.exception
    import dns.resolver  # here, since it takes 0.1 s and many switchboards never look anything up

    try:
        records = dns.resolver.resolve(f"_sip._udp.{host}", "SRV", lifetime=TIMEOUT_S)
    except (dns.exception.DNSException, UnicodeError, OSError):
        return None
    best = min(records, key=lambda record: (record.priority, -record.weight))
    return str(best.target).rstrip("."), int(best.port)


def _address(host: str) -> str | None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0]) if found else None


def _empty(fd: int) -> None:
    try:
        os.read(fd, 4096)
    except BlockingIOError:
        return
