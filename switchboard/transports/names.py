"""Resolves a name as RFC 3263 §4 says: NAPTR and SRV unless a port is given, then addresses (I/O rim).

The hosts file is read first: an entry of the operator there needs no server. Everything else is asked of the name
servers in resolv.conf, with its search, ndots and timeout. Both files are read again when they change. Other sources
of the system's resolver (nsswitch.conf: mDNS, LDAP) are not asked, because they can neither be abandoned in time nor
tell how long an answer is valid. Nothing here blocks: look-ups are tasks of one event loop, and each has its limit.
"""

import asyncio
import os
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import dns.asyncresolver
import dns.exception
import dns.resolver

from switchboard.bus.endpoints import is_address
from switchboard.core.commands import Lookup, NextHop
from switchboard.sip.flow import default_port
from switchboard.sip.translation import is_private
from switchboard.transports.desk import Desk, Found, Service
from switchboard.transports.services import MOST, Named, Way, in_turn, named, ways_by_naptr, ways_of

HOSTS, SERVERS = Path("/etc/hosts"), Path("/etc/resolv.conf")
LIMIT_S = 4.0
"""Of one look-up: a third for NAPTR and the usual SRV names, one for SRV names of NAPTR, one for the addresses."""
TRY_S = 1.0
"""Of one question to one server, so that another one, or another try, has its time."""
LONGEST_S = 86_400.0
LONGEST_NEGATIVE_S = 3_600.0
"""The longest time for which an answer is used, whatever it says (RFC 2308 §5 for negative ones)."""
FAILURE_S = 5.0
"""The time without new questions after no server had an answer (RFC 9520 §3.2)."""
DNS_PORT = 53
_LOOPBACK = ("127.0.0.1", "::1")


class _Records(NamedTuple):
    data: Sequence[Any]
    lasts_s: float
    is_answered: bool = True


_NONE = _Records((), LONGEST_S)


class Names:
    """The machine's own view of names. `may_be_private`: whether name servers may name private addresses."""

    def __init__(
        self,
        hosts: Path = HOSTS,
        servers: Path = SERVERS,
        port: int = DNS_PORT,
        random: Callable[[], float] = random.random,
        may_be_private: bool = True,
    ) -> None:
        self._random = random
        self._may_be_private = may_be_private
        self._hosts = _Kept(hosts, read_hosts)
        self._servers = _Kept(servers, lambda path: _make_resolver(path, port))

    async def find(self, lookup: Lookup) -> Found:
        """Return where `lookup` leads, within LIMIT_S."""
        host, port, transport, _ = lookup
        itself = Named(0, 0, host, port, transport)
        if known := self._known_here(host):
            return Found((_service(itself, known),), 0.0)
        servers, lasts_s = ([itself], LONGEST_S) if port is not None else await self._servers_of(lookup)
        chosen = list(islice(in_turn(servers or [itself], self._random), MOST))
        all_records = await asyncio.gather(*(self._addresses(each.host) for each in chosen))
        pairs = zip(chosen, all_records, strict=True)
        services = tuple(_service(each, records.data) for each, records in pairs if records.data)
        lasts_s = min(lasts_s, *(records.lasts_s for records in all_records))
        is_answered = bool(services) or all(records.is_answered for records in all_records)
        return Found(services, lasts_s, is_answered)

    async def _servers_of(self, lookup: Lookup) -> tuple[list[Named], float]:
        """The servers that SRV records name, and how long that holds; of NAPTR's transports, or of the usual ones."""
        host, _, transport, is_named = lookup
        ways = ways_of(host, transport, is_named)
        questions = [self._ask(way.name, "SRV") for way in ways]
        if is_named:
            return _named(ways, await asyncio.gather(*questions))
        naptr, *usual = await asyncio.gather(self._ask(host, "NAPTR"), *questions)
        better = ways_by_naptr(naptr.data, transport)
        if not better:
            servers, lasts_s = _named(ways, usual)
        else:
            questions = [self._ask(way.name, "SRV") for way in better]
            servers, lasts_s = _named(better, await asyncio.gather(*questions))
        return servers, min(lasts_s, naptr.lasts_s)

    def _known_here(self, host: str) -> Sequence[str]:
        name = host.lower().rstrip(".")
        if is_address(name):
            return [name]
        is_loopback = name == "localhost" or name.endswith(".localhost")  # RFC 6761 §6.3
        return self._hosts.get().get(name) or (_LOOPBACK if is_loopback else ())

    async def _addresses(self, host: str) -> _Records:
        if not host:  # SRV says that there is no such service
            return _NONE
        if known := self._known_here(host):
            return _Records(known, LONGEST_S)
        both = await asyncio.gather(*(self._ask(host, kind, search=True) for kind in ("AAAA", "A")))
        some = [records for records in both if records.data] or both
        data = [each.address for records in some for each in records.data]
        if not self._may_be_private:
            data = [address for address in data if not is_private(address)]
        lasts_s = min(records.lasts_s for records in some)
        return _Records(data, lasts_s, bool(data) or all(records.is_answered for records in both))

    async def _ask(self, name: str, kind: str, search: bool = False) -> _Records:
        try:
            answer = await self._servers.get().resolve(
                name, kind, raise_on_no_answer=False, search=search, lifetime=LIMIT_S / 3
            )
        except dns.resolver.NXDOMAIN as error:
            responses = error.kwargs.get("responses", {}).values()
            least_s = min((each.resolve_chaining().minimum_ttl for each in responses), default=FAILURE_S)
            return _Records((), min(least_s, LONGEST_NEGATIVE_S))
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError):
            return _Records((), FAILURE_S, is_answered=False)
        except (dns.exception.DNSException, UnicodeError):  # no name at all
            return _Records((), LONGEST_NEGATIVE_S)
        longest_s = LONGEST_S if answer.rrset else LONGEST_NEGATIVE_S
        return _Records(list(answer), min(answer.chaining_result.minimum_ttl, longest_s))


def _named(ways: Sequence[Way], answers: Sequence[_Records]) -> tuple[list[Named], float]:
    """The servers of all ways, and how long the answers hold: those that were needed to choose."""
    servers: list[Named] = []
    for place, (way, records) in enumerate(zip(ways, answers, strict=True)):
        servers += named(records.data, way, place)
    return servers, min(records.lasts_s for records in answers)


def _service(server: Named, addresses: Iterable[str]) -> Service:
    transport = server.transport
    port = default_port(transport) if server.port is None else server.port
    return Service(server.rank, server.weight, tuple(NextHop(each, port, transport) for each in addresses))


def read_hosts(path: Path) -> dict[str, list[str]]:
    """The addresses of each name (lower case) in a hosts file; none if it cannot be read."""
    known: dict[str, list[str]] = {}
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return known
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if is_address(address):
            for name in names:
                known.setdefault(name.lower().rstrip("."), []).append(address)
    return known


def _make_resolver(path: Path, port: int) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    try:
        resolver.read_resolv_conf(str(path))
    except (dns.resolver.NoResolverConfiguration, OSError, UnicodeError, ValueError):
        resolver.nameservers = [_LOOPBACK[0]]  # as resolv.conf(5) has it
    resolver.port = port
    resolver.timeout = min(resolver.timeout, TRY_S)
    return resolver


T = TypeVar("T")


class _Kept(Generic[T]):
    """What was read from a file, until that changes."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self._path = path
        self._read = read
        self._stamp: object = self
        self._value: T

    def get(self) -> T:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._value, self._stamp = self._read(self._path), stamp
        return self._value


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def serve(desk: Desk, names: Names) -> None:
    """Make the look-ups of `desk` until it says that it was the last one."""
    asyncio.run(_serve(desk, names))


async def _serve(desk: Desk, names: Names) -> None:
    loop, awake = asyncio.get_running_loop(), asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def wake() -> None:
        with suppress(RuntimeError):  # it has read that it was the last look-up, and ended
            loop.call_soon_threadsafe(awake.set)

    desk.wake = wake
    while True:
        awake.clear()
        while not desk.asked.empty():
            lookup = desk.asked.get()
            if lookup is None:
                return
            task = loop.create_task(_tell(desk, names, lookup))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await awake.wait()


async def _tell(desk: Desk, names: Names, lookup: Lookup) -> None:
    found = Found((), FAILURE_S, is_answered=False)
    try:
        found = await names.find(lookup)
    finally:  # whatever happens to it, somebody waits
        desk.tell(lookup, found)
