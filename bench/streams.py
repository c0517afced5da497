"""What connections cost, beside Kamailio: the same in turn, several times.

python -m bench.streams               everything, as a table on the terminal
    --phones 1000 --rounds 3          registered over each transport; so often
    --idle 10000                      TLS connections that are kept over `switchboard restart --all`
    --write PAGE                      put the result into its section of a Markdown page
"""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from system.access import HOST, Access, Transport, free_ports
from system.harness import Switchboard
from system.sipmsg import Address
from system.sipp import Sipp

from bench.connected import connect, register
from bench.kamailio import Kamailio
from bench.machine import describe_machine
from bench.report import write_section
from bench.speed import registration
from bench.speed.cpu import costs, spent
from bench.speed.memory import memory_mb
from bench.speed.namespace import enter_own_network
from bench.speed.scenario import SCENARIOS
from bench.speed.subjects import CALLEE_PORT, KAMAILIO_MEMORY, OURS_SETTINGS
from switchboard.transports.certificates import issue, make_authority, new_key

STREAMS = (Transport.TCP, Transport.TLS, Transport.WSS)
HANDSHAKES = 500
CALLS_S = 300
WARM_S, WINDOW_S, TAIL_S = 3.0, 6.0, 1.0
USERS = 200
DRAIN_S = 20.0
CALLEE_HOST = "127.0.0.2"
"""No connection is made to the switchboard's own address."""
SETTLE_S = 2.0


@dataclass(frozen=True)
class Subject:
    """A running proxy: how phones reach it, and all its processes."""

    address: Address
    access: Callable[[Transport], Access]
    pids: Callable[[], list[int]]

    def at(self, transport: Transport) -> Address:
        """Where phones of this transport connect to."""
        return HOST, self.access(transport).port


@dataclass
class Row:
    """Figures of Kamailio and ours; `target`: for their ratio, if there is one."""

    title: str
    unit: str
    target: str
    kamailio: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    def cells(self) -> list[str]:
        """As the page has them."""
        theirs, own = median(self.kamailio), median(self.ours)
        shown = [
            f"{median(each):.2f} ({min(each):.2f}–{max(each):.2f})" for each in (self.kamailio, self.ours)
        ]
        return [self.title, self.unit, *shown, f"{own / theirs:.2f}", self.target]


@contextmanager
def kamailio() -> Iterator[Subject]:
    """With its allocator fm and one receiver, as bench.speed has it."""
    now, key, authority_key = datetime.now(UTC), new_key(), new_key()
    certificate = issue(make_authority(authority_key, "bench", now), authority_key, key, [HOST], now)
    with Kamailio(*KAMAILIO_MEMORY, "-A", "WORKERS=1", certificate=certificate, key=key) as running:
        main = running.main
        yield Subject(
            running.address,
            running.access,
            lambda: [main.pid, *(each.pid for each in main.children(recursive=True))],
        )


@contextmanager
def ours(directory: Path | None = None) -> Iterator[Subject]:
    """The switchboard; `directory` is told where it has its data."""
    ports = free_ports()
    settings = {**OURS_SETTINGS, **ports.environment}
    with Switchboard(settings, data_dir=directory) as board:
        yield Subject(
            board.address,
            lambda transport: ports.access(transport, board.port, board.data_dir),
            lambda: [each.pid for each in board.processes()],
        )


def handshake_ms(subject: Subject) -> float:
    """CPU of a TLS handshake with a REGISTER."""
    for phone in connect(Transport.TLS, subject.at(Transport.TLS), 50):
        phone.close()
    before = costs(subject.pids())
    phones = connect(Transport.TLS, subject.at(Transport.TLS), HANDSHAKES)
    cost = spent(before, costs(subject.pids()))
    for phone in phones:
        phone.close()
    return 1000 * sum(each.cpu_s for each in cost.values()) / HANDSHAKES


def memory_kb(subject: Subject, phones: int) -> list[float]:
    """Of an idle registered connection over each of STREAMS, less that of a binding of UDP."""
    kept, found, last = [], [], _settled_mb(subject)
    for transport in (Transport.UDP, *STREAMS):
        kept += connect(transport, subject.at(transport), phones)
        now = _settled_mb(subject)
        found.append(1024 * (now - last) / phones)
        last = now
    for phone in kept:
        phone.close()
    return [each - found[0] for each in found[1:]]


def _settled_mb(subject: Subject) -> float:
    time.sleep(SETTLE_S)
    return memory_mb(subject.pids())


def call_ms(subject: Subject, transport: Transport) -> float:
    """CPU of a call between phones of SIPp. AssertionError if calls fail."""
    named = "" if transport is Transport.UDP else f";transport={transport}"
    users = registration.user_names(USERS)
    registration.register(subject.address, users, f"{CALLEE_HOST}:{CALLEE_PORT}{named}")
    with TemporaryDirectory(prefix="bench-streams-") as name:
        directory = Path(name)
        for scenario in ("call", "answering"):
            text = (SCENARIOS / f"{scenario}.xml").read_text()
            text = text.replace("[local_port]>", f"[local_port]{named}>")
            (directory / f"{scenario}.xml").write_text(text)
        (directory / "users.csv").write_text(
            "\n".join(["SEQUENTIAL", *(f"{each};{CALLEE_PORT}" for each in users), ""])
        )
        return _call_ms(subject, directory, "u1" if transport is Transport.UDP else "t1")


def _call_ms(subject: Subject, directory: Path, mode: str) -> float:
    calls = round(CALLS_S * (WARM_S + WINDOW_S + TAIL_S))
    both = ("-t", mode, "-deadcall_wait", "0", "-l", "100000")
    options = (*both, "-inf", str(directory / "users.csv"), "-r", str(CALLS_S), "-m", str(calls), "-d", "100")
    with (
        Sipp(
            "answering",
            directory,
            subject.address,
            *both,
            scenarios=directory,
            port=CALLEE_PORT,
            own_host=CALLEE_HOST,
        ),
        Sipp("call", directory, subject.address, *options, scenarios=directory) as caller,
    ):
        time.sleep(WARM_S)
        before, since = costs(subject.pids()), time.monotonic()
        time.sleep(WINDOW_S)
        cost, took = spent(before, costs(subject.pids())), time.monotonic() - since
        caller.wait(DRAIN_S)
        failed = caller.count("FailedCall")
        assert failed <= calls / 1000, f"{failed} of {calls} calls failed: {caller.errors()[:500]}"
    return 1000 * sum(each.cpu_s for each in cost.values()) / (CALLS_S * took)


def compare(phones: int, rounds: int) -> list[Row]:
    """Each measurement with both subjects in turn."""
    handshake = Row("CPU of a TLS handshake with REGISTER", "ms", "≤ 1.2")
    targets = {Transport.TCP: "≤ 0.3", Transport.TLS: "≤ 0.3", Transport.WSS: "≤ 0.15"}
    memory = [
        Row(
            f"memory of an idle registered {each.upper()} connection, less its binding's", "kB", targets[each]
        )
        for each in STREAMS
    ]
    call = Row(f"CPU of a call over TCP at {CALLS_S} calls/s", "ms", "")
    for _ in range(rounds):
        for make, name in ((kamailio, "kamailio"), (ours, "ours")):
            with make() as subject:
                getattr(handshake, name).append(handshake_ms(subject))
            with make() as subject:
                for row, value in zip(memory, memory_kb(subject, phones), strict=True):
                    getattr(row, name).append(value)
            with make() as subject:
                getattr(call, name).append(call_ms(subject, Transport.TCP))
    return [handshake, *memory, call]


def compare_udp(rounds: int) -> str:
    """Our calls over TCP and over UDP in turn."""
    found: dict[Transport, list[float]] = {Transport.UDP: [], Transport.TCP: []}
    for _ in range(rounds):
        for transport, values in found.items():
            with ours() as subject:
                values.append(call_ms(subject, transport))
    udp, tcp = (median(each) for each in found.values())
    compared = f"{tcp:.2f} ms over TCP, {udp:.2f} ms over UDP: {tcp / udp:.2f} times (target ≤ 1.3)"
    return f"CPU of a call of ours at {CALLS_S} calls/s: {compared}."


def restart_all(idle: int) -> str:
    """Idle TLS connections over `switchboard restart --all`: how many are kept, and its CPU."""
    ports = free_ports()
    with Switchboard({**OURS_SETTINGS, **ports.environment}) as board:
        address = HOST, ports.tls
        phones = connect(Transport.TLS, address, idle)
        before = _with_ended_s(board)
        board.cli("restart", "--all")
        cpu_s = _with_ended_s(board) - before
        register(phones)
        for phone in phones:
            phone.close()
    kept = f"all are there afterwards, and it takes {cpu_s:.1f} s of CPU (target ≤ 2)"
    return f"{idle:,} idle TLS connections over `switchboard restart --all`: {kept}."


def _with_ended_s(board: Switchboard) -> float:
    """CPU of all processes, of those that have ended, and of the commands that we ran."""
    times = [each.cpu_times() for each in board.processes()]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(sum(each[:4]) for each in times) + own.ru_utime + own.ru_stime


def main(
    phones: int = 1000,
    rounds: int = 3,
    idle: Annotated[int, typer.Option(help="TLS connections over a restart")] = 10_000,
    write: Path | None = None,
) -> None:
    """Measure, print, and write the result into a page."""
    rows = [each.cells() for each in compare(phones, rounds)]
    head = ["", "unit", "Kamailio", "ours", "ours / Kamailio", "target"]
    table = "\n".join(f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *rows))
    how = f"{describe_machine()}; {rounds} rounds: median (lowest–highest); {phones} connections of each transport."
    text = "\n\n".join([how, table, compare_udp(rounds), *([restart_all(idle)] if idle else [])])
    print(text)
    if write:
        write_section(write, "streams", text)


if __name__ == "__main__":
    enter_own_network("bench.streams")
    typer.run(main)
