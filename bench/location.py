"""What a REGISTER costs where registrations are on a server, with the server's part: ours and Kamailio's.

python -m bench.location [--on redis|postgresql] [--rate 300] [--seconds 10] [--users 2000] [--rounds 3]
python -m bench.location --updates [--on …]    updates/s of one connection, 64 users at a time and one at a time

Both in turn, at equal rates, each with a server of its own (Redis: AOF everysec; PostgreSQL: as it comes, each commit
on the disk), in db-only mode: `db_mode` 3, which several Kamailios need that share registrations. Each user's phone
refreshes its one binding again and again. Debian's kamailio-redis-modules and kamailio-postgres-modules are needed.
"""

import argparse
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil
from postgres_server import postgres_server
from redis_server import redis_server
from system.harness import INIT_SYSTEM, Switchboard
from system.sipmsg import Address, host_port

from bench.kamailio import Kamailio
from bench.speed.cpu import costs, spent
from switchboard.postgres.url import PostgresUrl
from switchboard.registrar.postgres_location import PostgresLocation
from switchboard.registrar.redis_location import RedisLocation
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.remote import ABSENT, Put
from switchboard.registrar.shared import Location

HOST = "127.0.0.1"
AOF = ("--appendonly", "yes", "--appendfsync", "everysec")
KAMAILIO_SCHEMA = Path("/usr/share/kamailio/postgres")
DRAIN_S = 1.0
GATHER_S = 0.0005
BUFFER = 65536
MICRO = 1e6
BATCHES = (64, 1)
RECORD = b"r" * 250
"""About what a user with one binding has."""


class Server(NamedTuple):
    """A server of registrations that is up. `url`: for us; `kamailio`: definitions of its configuration."""

    url: str
    location: Location
    kamailio: tuple[str, ...]
    process: psutil.Process

    def pids(self) -> list[int]:
        """Of all its processes."""
        return [self.process.pid, *(each.pid for each in self.process.children(recursive=True))]


@contextmanager
def redis() -> Iterator[Server]:
    """Kamailio looks for the version of its table."""
    with (
        TemporaryDirectory(prefix="bench-location-") as directory,
        redis_server(Path(directory) / "redis", *AOF) as server,
    ):
        server.do("HSET", "version:entry::location", "id", 1, "table_name", "location", "table_version", 9)
        location = RedisLocation(RedisUrl.parse(server.url), time.time)
        place = f'REDIS="redis://{HOST}:{server.port}/0"'
        yield Server(server.url, location, (place,), psutil.Process(server.process.pid))


@contextmanager
def postgresql() -> Iterator[Server]:
    """Kamailio has a database of its own in it."""
    with postgres_server() as server:
        ours, theirs = server.database(), server.database()
        for name in ("standard", "usrloc"):
            server.do((KAMAILIO_SCHEMA / f"{name}-create.sql").read_text(), database=theirs)
        location = PostgresLocation(PostgresUrl.parse(server.url(ours)), time.time)
        place = f'POSTGRES="postgres://postgres:any@{HOST}:{server.port}/{theirs}"'  # trusted
        yield Server(server.url(ours), location, (place,), psutil.Process(server.process.pid))


SERVERS: Mapping[str, Callable[[], AbstractContextManager[Server]]] = {
    "redis": redis,
    "postgresql": postgresql,
}


class Subject(NamedTuple):
    """A proxy that is up. `pids`: of its processes."""

    name: str
    address: Address
    pids: Callable[[], list[int]]


class Found(NamedTuple):
    """CPU of a REGISTER that was answered 200, µs: the proxy's and the server's. `answered`: the part that was."""

    proxy_us: float
    server_us: float
    answered: float


@contextmanager
def ours(server: Server) -> Iterator[Subject]:
    """A switchboard with one router."""
    settings = {
        "SWITCHBOARD_LOCATION": server.url,
        "SWITCHBOARD_ROUTERS": "1",
        "SWITCHBOARD_HISTORY": "off",
        "SWITCHBOARD_SPARES": "off",
    }
    with Switchboard(settings, runner=INIT_SYSTEM) as board:
        yield Subject("ours", board.address, lambda: [each.pid for each in board.processes()])


@contextmanager
def theirs(server: Server) -> Iterator[Subject]:
    """Kamailio."""
    options = [word for each in ("WORKERS=2", *server.kamailio) for word in ("-A", each)]
    with Kamailio(*options) as kamailio:
        main = kamailio.main
        yield Subject(
            "kamailio",
            kamailio.address,
            lambda: [main.pid, *(each.pid for each in main.children(recursive=True))],
        )


class Phones:
    """Phones at one socket, each with one contact."""

    def __init__(self, proxy: Address, users: int) -> None:
        self._proxy, self._users = proxy, users
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sent = self.answered = 0

    def run(self, rate: float, seconds: float) -> None:
        """Send so many a second, evenly; take the answers."""
        began = time.monotonic()
        first = self.sent
        while (passed := time.monotonic() - began) < seconds:
            while self.sent - first < passed * rate:
                self._send()
            self._take()
            time.sleep(GATHER_S)
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            self._take()
            time.sleep(GATHER_S)

    def _send(self) -> None:
        number, user = self.sent, self.sent % self._users
        self.sent += 1
        place = host_port(self._socket.getsockname())
        aor = f"sip:user{user}@{HOST}"
        self._socket.sendto(
            f"REGISTER sip:{HOST} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {place};rport;branch=z9hG4bK{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <{aor}>;tag=t{number}\r\nTo: <{aor}>\r\n"
            f"Call-ID: registration-{user}\r\nCSeq: {number // self._users + 1} REGISTER\r\n"
            f"Contact: <sip:user{user}@{place}>\r\nExpires: 3600\r\n"
            "User-Agent: bench\r\nContent-Length: 0\r\n\r\n".encode(),
            self._proxy,
        )

    def _take(self) -> None:
        while True:
            try:
                self.answered += self._socket.recv(BUFFER).startswith(b"SIP/2.0 200")
            except BlockingIOError:
                return

    def close(self) -> None:
        self._socket.close()


def measure(subject: Subject, server: Server, users: int, rate: float, seconds: float) -> Found:
    """All users register once; then they refresh, which is measured."""
    phones = Phones(subject.address, users)
    phones.run(rate, users / rate)
    sent, answered = phones.sent, phones.answered
    proxy, others = subject.pids(), server.pids()
    before = costs(proxy), costs(others)
    phones.run(rate, seconds)
    made = phones.answered - answered
    proxy_s = sum(each.cpu_s for each in spent(before[0], costs(proxy)).values())
    server_s = sum(each.cpu_s for each in spent(before[1], costs(others)).values())
    phones.close()
    assert made, f"{subject.name} answered nothing"
    return Found(proxy_s / made * MICRO, server_s / made * MICRO, made / (phones.sent - sent))


def run(on: str, users: int, rate: float, seconds: float) -> dict[str, Found]:
    """One of each."""
    found = {}
    for prepare in (ours, theirs):
        with SERVERS[on]() as server, prepare(server) as subject:
            found[subject.name] = measure(subject, server, users, rate, seconds)
    return found


def updates_per_s(location: Location, at_once: int, users: int, seconds: float) -> float:
    """Of users whose records are there already, over one connection."""
    with closing(location.connect()) as remote:
        remote.check()
        versions = dict.fromkeys((f"user{each}" for each in range(users)), ABSENT)

        def put(names: Sequence[str]) -> None:
            outcomes = remote.put([Put(name, versions[name], RECORD, 3600.0) for name in names])
            assert all(each.is_done for each in outcomes)
            versions.update({each.kept.user: each.kept.version for each in outcomes})

        put(list(versions))
        names, made, began = cycle(versions), 0, time.monotonic()
        while time.monotonic() - began < seconds:
            put([*islice(names, at_once)])
            made += at_once
        return made / (time.monotonic() - began)


def tell_updates(on: str, users: int, seconds: float, rounds: int) -> None:
    """Print the medians."""
    for at_once in BATCHES:
        found = []
        for _ in range(rounds):
            with SERVERS[on]() as server:
                found.append(updates_per_s(server.location, at_once, users, seconds))
        spread = f"{min(found):.0f}–{max(found):.0f}"
        print(f"{on}: {at_once} at a time: {statistics.median(found):.0f} updates/s ({spread})")


def tell_costs(on: str, users: int, rate: int, seconds: float, rounds: int) -> None:
    """Print the medians."""
    made = [run(on, users, rate, seconds) for _ in range(rounds)]
    print(f"{rate} REGISTER/s of {users} users, {seconds:g} s, on {on}, median of {rounds}")
    print(f"{psutil.cpu_count()} processors; µs of CPU for each REGISTER that was answered")
    totals = {}
    for name in made[0]:
        found = Found(*(statistics.median(each) for each in zip(*(one[name] for one in made), strict=True)))
        totals[name] = found.proxy_us + found.server_us
        print(
            f"{name:10} {found.proxy_us:6.0f} + {found.server_us:4.0f} (server) = {totals[name]:6.0f} "
            f"  answered {found.answered:.1%}"
        )
    print(f"ours / kamailio: {totals['ours'] / totals['kamailio']:.2f}")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--on", choices=[*SERVERS], default="redis")
    parser.add_argument("--updates", action="store_true")
    for name, default in (("--rate", 300), ("--seconds", 10), ("--users", 2000), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=default)
    wanted = parser.parse_args()
    if wanted.updates:
        tell_updates(wanted.on, wanted.users, wanted.seconds, wanted.rounds)
    else:
        tell_costs(wanted.on, wanted.users, wanted.rate, wanted.seconds, wanted.rounds)


if __name__ == "__main__":
    main()
