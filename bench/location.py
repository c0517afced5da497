"""What a REGISTER costs where registrations are on Redis, with the server's part: ours and Kamailio's `db_redis`.

python -m bench.location [--rate 300] [--seconds 10] [--users 2000] [--rounds 3]

Both in turn, at equal rates, each with a Redis of its own (AOF everysec), in db-only mode: `db_mode` 3, which several
Kamailios need that share registrations. Each user's phone refreshes its one binding again and again.
"""

import argparse
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil
from redis_server import RedisServer, redis_server
from system.harness import INIT_SYSTEM, Switchboard
from system.sipmsg import Address, host_port

from bench.kamailio import Kamailio
from bench.speed.cpu import costs, spent

HOST = "127.0.0.1"
AOF = ("--appendonly", "yes", "--appendfsync", "everysec")
DRAIN_S = 1.0
GATHER_S = 0.0005
BUFFER = 65536
MICRO = 1e6


class Subject(NamedTuple):
    """A proxy that is up. `pids`: of its processes."""

    name: str
    address: Address
    pids: Callable[[], list[int]]


class Found(NamedTuple):
    """CPU of a REGISTER that was answered 200, µs: the proxy's and the server's. `answered`: the part that was."""

    proxy_us: float
    redis_us: float
    answered: float


@contextmanager
def ours(redis: RedisServer, wait_replicas: int = 0) -> Iterator[Subject]:
    """A switchboard with one router."""
    settings = {
        "SWITCHBOARD_LOCATION": redis.url,
        "SWITCHBOARD_LOCATION_WAIT_REPLICAS": str(wait_replicas),
        "SWITCHBOARD_ROUTERS": "1",
        "SWITCHBOARD_HISTORY": "off",
        "SWITCHBOARD_SPARES": "off",
    }
    with Switchboard(settings, runner=INIT_SYSTEM) as board:
        yield Subject("ours", board.address, lambda: [each.pid for each in board.processes()])


@contextmanager
def theirs(redis: RedisServer) -> Iterator[Subject]:
    """Kamailio, which looks for the version of its table."""
    redis.do("HSET", "version:entry::location", "id", 1, "table_name", "location", "table_version", 9)
    options = ("-A", "WORKERS=2", "-A", f'REDIS="redis://{HOST}:{redis.port}/0"')
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


def measure(subject: Subject, redis: RedisServer, users: int, rate: float, seconds: float) -> Found:
    """All users register once; then they refresh, which is measured."""
    phones = Phones(subject.address, users)
    phones.run(rate, users / rate)
    sent, answered = phones.sent, phones.answered
    proxy, server = subject.pids(), [redis.process.pid]
    before = costs(proxy), costs(server)
    phones.run(rate, seconds)
    made = phones.answered - answered
    proxy_s = sum(each.cpu_s for each in spent(before[0], costs(proxy)).values())
    redis_s = sum(each.cpu_s for each in spent(before[1], costs(server)).values())
    phones.close()
    assert made, f"{subject.name} answered nothing"
    return Found(proxy_s / made * MICRO, redis_s / made * MICRO, made / (phones.sent - sent))


def run(users: int, rate: float, seconds: float) -> dict[str, Found]:
    """One of each."""
    found = {}
    for prepare in (ours, theirs):
        with (
            TemporaryDirectory(prefix="bench-location-") as directory,
            redis_server(Path(directory) / "redis", *AOF) as redis,
            prepare(redis) as subject,
        ):
            found[subject.name] = measure(subject, redis, users, rate, seconds)
    return found


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("--rate", 300), ("--seconds", 10), ("--users", 2000), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=default)
    wanted = parser.parse_args()
    rounds = [run(wanted.users, wanted.rate, wanted.seconds) for _ in range(wanted.rounds)]
    print(f"{wanted.rate} REGISTER/s of {wanted.users} users, {wanted.seconds} s, median of {wanted.rounds}")
    print(f"{psutil.cpu_count()} processors; µs of CPU for each REGISTER that was answered")
    totals = {}
    for name in rounds[0]:
        found = Found(
            *(statistics.median(values) for values in zip(*(each[name] for each in rounds), strict=True))
        )
        totals[name] = found.proxy_us + found.redis_us
        print(
            f"{name:10} {found.proxy_us:6.0f} + {found.redis_us:4.0f} (Redis) = {totals[name]:6.0f} "
            f"  answered {found.answered:.1%}"
        )
    print(f"ours / kamailio: {totals['ours'] / totals['kamailio']:.2f}")


if __name__ == "__main__":
    main()
