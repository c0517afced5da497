"""How long a switchboard with many bindings takes to start, and what many that run out at once do to who registers.

PYTHONPATH=tests python -m bench.start [--bindings N] [--only ROW]

Times count from the start of `honcho start`; the store is filled before. All the while somebody registers every 30 ms.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer
from system.harness import Switchboard, wait_until
from system.sipmsg import Address

from bench.asked import stat
from bench.machine import describe_machine
from switchboard.auth.user_store import UserStore
from switchboard.auth.users import Entry
from switchboard.registrar.binding import Binding
from switchboard.registrar.sqlite import SqliteStore

EVERY_S = 0.03
USERS_A_ROW = 500
HOUR_S = 3600.0
LEAD_S = 25.0
"""From the filling of the store until what is to run out while the switchboard runs does so."""
LONGEST_S = 120.0
_REGISTER = """REGISTER sip:{host} SIP/2.0
Via: SIP/2.0/UDP {own};branch=z9hG4bK-{number};rport
Max-Forwards: 70
From: <sip:probe{user}@{host}>;tag=ab12cd34
To: <sip:probe{user}@{host}>
Call-ID: probe-{user}@{own}
CSeq: {number} REGISTER
Contact: <sip:probe{user}@{own}>
Expires: 3600
Content-Length: 0

""".replace("\n", "\r\n")


class Answer(NamedTuple):
    """A REGISTER that got a 200. `sent_at`, `came_at`: monotonic s."""

    sent_at: float
    came_at: float


class Registering:
    """Somebody who registers every 30 ms, inside the `with` block, and never sends one twice."""

    def __init__(self, address: Address) -> None:
        self.answers: list[Answer] = []
        self.refused = 0
        self._address = address
        self._sent: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Registering":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def waits_s(self, since: float, until: float) -> list[float]:
        """How long those waited that were sent then; who got no answer waits still."""
        came = {each.sent_at: each.came_at for each in self.answers}
        sent = [at for at in self._sent.values() if since <= at < until]
        return sorted(came.get(at, time.monotonic()) - at for at in sent)

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            due_at, number = time.monotonic(), 0
            while not self._ended.is_set():
                number += 1
                self._send(sock, number)
                due_at += EVERY_S
                while (left_s := due_at - time.monotonic()) > 0:
                    self._receive(sock, left_s)

    def _send(self, sock: socket.socket, number: int) -> None:
        own = f"127.0.0.1:{sock.getsockname()[1]}"
        request = _REGISTER.format(host=self._address[0], own=own, number=number, user=number % 100)
        self._sent[number] = time.monotonic()
        sock.sendto(request.encode(), self._address)

    def _receive(self, sock: socket.socket, within_s: float) -> None:
        sock.settimeout(within_s)
        try:
            raw = sock.recv(65_535)
        except (TimeoutError, ConnectionRefusedError):
            return
        if not raw.startswith(b"SIP/2.0 200 "):
            self.refused += 1
            return
        number = int(raw.partition(b"branch=z9hG4bK-")[2].partition(b";")[0])
        self.answers.append(Answer(self._sent[number], time.monotonic()))


def fill(data_dir: Path, count: int, expires_at: Callable[[int], float]) -> None:
    """Bind so many users, each to one contact until the instant that `expires_at` makes of its number."""
    data_dir.mkdir(exist_ok=True)
    store = SqliteStore(data_dir / "location.db")
    for first in range(0, count, USERS_A_ROW):
        with store.batch():
            for number in range(first, min(count, first + USERS_A_ROW)):
                store.put(f"user{number}", [_binding(number, expires_at(number))])
    store.close()


def _binding(number: int, expires_at: float) -> Binding:
    source = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:5060"
    params = f';+sip.instance="<urn:uuid:00000000-0000-1000-8000-{number:012x}>"'
    return Binding(
        f"sip:user{number}@{source}",
        1.0,
        expires_at,
        params=params,
        call_id=f"7d3a1c5e-{number}@10.0.0.11",
        cseq=5,
        user_agent="Linphone-Desktop/5.0",
        source=source,
        branch=f"z9hG4bK-{number}",
    )


def add_users(data_dir: Path, count: int) -> None:
    """Give so many users a password."""
    data_dir.mkdir(exist_ok=True)
    store = UserStore(data_dir / "users.db")
    store.put([Entry(f"user{number}", "switchboard", "0" * 64, "0" * 32) for number in range(count)], 0.0)
    store.close()


class Result(NamedTuple):
    """A row of the table, for people."""

    what: str
    up_s: float
    answered_s: float
    ninety_nine_s: float
    longest_s: float
    restarts: int

    def row(self) -> str:
        waits = "–" if self.longest_s < 0 else f"{self.ninety_nine_s * 1e3:.0f} / {self.longest_s * 1e3:.0f}"
        figures = f"{self.up_s:.2f} | {self.answered_s:.2f} | {waits} | {self.restarts}"
        return f"| {self.what} | {figures} |"


HEAD = """| bindings | all up, s | first REGISTER answered, s | a REGISTER waits, ms: 99 % / longest | restarts |
|---|---|---|---|---|"""


@contextmanager
def board(data_dir: Path, environment: dict[str, str]) -> Iterator[tuple[Switchboard, Registering, float]]:
    """A switchboard that has just been started, who registers there, and when that was (monotonic s)."""
    switchboard = Switchboard(environment, data_dir=data_dir)
    begin = time.monotonic()
    with Registering(switchboard.address) as registering:
        switchboard.start()
        try:
            yield switchboard, registering, begin
        finally:
            switchboard.__exit__(None, None, None)


def start(what: str, count: int, lives_s: float, environment: dict[str, str]) -> Result:
    """Start with bindings that live so long after the filling; those that run out meanwhile are waited for."""
    with TemporaryDirectory(prefix="switchboard-bench-") as home:
        data_dir = Path(home) / "data"
        if environment:
            add_users(data_dir, count)
        ends_at = time.time() + lives_s
        fill(data_dir, count, lambda number: ends_at + number / count)
        with board(data_dir, environment) as (switchboard, registering, begin):
            wait_until(lambda: switchboard.is_up(), "all up", LONGEST_S)
            up_s = time.monotonic() - begin
            wait_until(lambda: registering.answers, "an answer", LONGEST_S)
            answered_s = registering.answers[0].came_at - begin
            waits = _while_expiring(switchboard, registering, ends_at) if lives_s < HOUR_S else []
            restarts = sum(each["restarts"] for each in switchboard.components())
    ninety_nine_s = quantiles(waits, n=100)[98] if waits else -1.0
    return Result(what, up_s, answered_s, ninety_nine_s, max(waits, default=-1.0), restarts)


def _while_expiring(switchboard: Switchboard, registering: Registering, ends_at: float) -> list[float]:
    since = time.monotonic() + max(0.0, ends_at - time.time())
    wait_until(lambda: time.monotonic() > since, "the end of bindings", LONGEST_S)
    wait_until(lambda: stat(switchboard, "registrar.0", "bindings") <= 100, "no bindings", LONGEST_S)
    until = time.monotonic() + 1.0
    wait_until(lambda: time.monotonic() > until + 1.0, "the last answers")
    return registering.waits_s(since, until)


def rows(count: int) -> dict[str, Callable[[], Result]]:
    """What can be measured, by name."""
    passwords = {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_TRUSTED": "127.0.0.1"}
    return {
        "none": lambda: start("none", 0, HOUR_S, {}),
        "valid": lambda: start(f"{count:,}", count, HOUR_S, {}),
        "passwords": lambda: start(f"{count:,}, with passwords", count, HOUR_S, passwords),
        "million": lambda: start(f"{10 * count:,}", 10 * count, HOUR_S, {}),
        "over": lambda: start(f"{4 * count:,} that ran out before", 4 * count, -HOUR_S, {}),
        "expiring": lambda: start(f"{count:,} that run out in one second", count, LEAD_S, {}),
    }


def main(
    bindings: Annotated[int, typer.Option(help="how many")] = 100_000,
    only: Annotated[list[str] | None, typer.Option(help="a row; may be repeated")] = None,
) -> None:
    """Measure, and print the table."""
    print(f"{describe_machine()}.\n\n{HEAD}")
    for name, measure in rows(bindings).items():
        if only is None or name in only:
            print(measure().row(), flush=True)


if __name__ == "__main__":
    typer.run(main)
