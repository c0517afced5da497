"""The proxies that are measured, each behind the same interface, as a process tree that starts and ends."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from system.control import Component
from system.harness import PROJECT, Switchboard, free_port, wait_until
from system.sipmsg import Address

from bench.kamailio import Kamailio
from bench.speed.programs import Unavailable, require
from switchboard.core.call_rules import UserRules
from switchboard.registrar.rule_store import RuleRecord, RuleStore, body_of

HOST = "127.0.0.1"
CALLEE_PORT = 16060
"""Where all callees of a bench are reached; the relay knows no other."""
BUFFER_BYTES = "4194304"
KAMAILIO_MEMORY = ("-m", "2048", "-M", "64", "-x", "fm", "-X", "fm", "-b", BUFFER_BYTES)
"""The allocator fm, since with the package's default, qm, half of its CPU goes into searching free lists."""
RELAY_SOURCE = Path(__file__).with_name("relay.c")
BESIDE = "parents, standby processes, honcho"
OURS_SETTINGS = {"SWITCHBOARD_LANGUAGE": "sk", "SWITCHBOARD_HISTORY": "off", "SWITCHBOARD_CONSOLE": "off"}
"""So that the translator has something to translate."""


class Kind(StrEnum):
    """Who is measured."""

    KAMAILIO = "kamailio"
    OURS = "ours"
    ASSIGNMENT = "assignment"
    RELAY = "relay"
    BEFORE = "before"


@dataclass(frozen=True)
class Subject:
    """A running proxy. `processes`: pid -> name of all its processes, parents included.

    `callees_at`: where callees register, if not where callers call; `phones`: the address of all phones.
    """

    kind: Kind
    address: Address
    processes: Callable[[], dict[int, str]]
    callees_at: Address | None = None
    phones: str = HOST

    @property
    def registers(self) -> bool:
        """Whether it knows users."""
        return self.kind is not Kind.RELAY


@contextmanager
def started(kind: Kind, workers: int = 0, settings: Mapping[str, str] | None = None) -> Iterator[Subject]:
    """A subject with so many `workers` (0: as many as it has by itself); Unavailable if it cannot be had.

    Workers are Kamailio's receivers, of which it has one unless told, and our routers.
    """
    require("sipp")
    with _STARTERS[kind](workers, settings or {}) as subject:
        yield subject


@contextmanager
def started_with_rules(users: int) -> Iterator[Subject]:
    """Our switchboard, in which calls of so many users who are not there are forwarded."""
    require("sipp")
    with TemporaryDirectory(prefix="bench-rules-") as directory:
        data_dir = Path(directory) / "data"
        data_dir.mkdir(mode=0o700)
        with closing(RuleStore(data_dir / "rules.db")) as store:
            rules = body_of(UserRules(busy="lukas", no_answer="lenka"))
            store.write([RuleRecord(0, f"other-{each}", rules, 0.0) for each in range(users)])
        with _ours(0, {}, partial(Switchboard, data_dir=data_dir)) as subject:
            yield subject


@contextmanager
def _kamailio(workers: int, settings: Mapping[str, str]) -> Iterator[Subject]:
    require("kamailio")
    engine = settings.get("SWITCHBOARD_MEDIA", "").replace("rtpengine://", "udp:")
    relays = ("-A", f'RTPENGINE="{engine}"') if engine else ()
    with Kamailio(*KAMAILIO_MEMORY, "-A", f"WORKERS={workers or 1}", *relays) as kamailio:
        yield Subject(Kind.KAMAILIO, kamailio.address, lambda: _tree(kamailio.main))


class OtherSwitchboard(Switchboard):
    """One of other code, whose frames only its own commands read."""

    def _ask_parents(self) -> list[Component]:
        printed = self.cli("status", "--json", check=False).stdout
        components: list[Component] = json.loads(printed)["components"] if printed else []
        return components


@contextmanager
def _ours(
    workers: int, settings: Mapping[str, str], make: Callable[..., Switchboard] = Switchboard
) -> Iterator[Subject]:
    routers = {"SWITCHBOARD_ROUTERS": str(workers)} if workers else {}
    with make({**OURS_SETTINGS, **routers, **settings}) as ours:
        yield Subject(Kind.OURS, ours.address, lambda: _our_processes(ours))


@contextmanager
def _before(workers: int, settings: Mapping[str, str]) -> Iterator[Subject]:
    """The switchboard of another checkout, built in place, whose path is in BENCH_BEFORE: to compare a change with."""
    checkout = os.environ.get("BENCH_BEFORE")
    if not checkout:
        raise Unavailable("BENCH_BEFORE names no checkout")
    make = partial(OtherSwitchboard, runner=("honcho", "start", "-f", f"{checkout}/Procfile"))
    with _ours(workers, {"PYTHONPATH": checkout, **settings}, make) as subject:
        yield replace(subject, kind=Kind.BEFORE)


@contextmanager
def _assignment(_: int, __: Mapping[str, str]) -> Iterator[Subject]:
    address = HOST, free_port(HOST)
    with _process([sys.executable, "-m", "bench.speed.assignment", *map(str, address)], address) as process:
        yield Subject(Kind.ASSIGNMENT, address, lambda: {process.pid: "assignment"})


@contextmanager
def _relay(_: int, __: Mapping[str, str]) -> Iterator[Subject]:
    require("gcc")
    address = HOST, free_port(HOST)
    with TemporaryDirectory(prefix="bench-relay-") as directory:
        program = str(Path(directory) / "relay")
        subprocess.run(["gcc", "-O2", "-o", program, str(RELAY_SOURCE)], check=True)
        with _process([program, str(address[1]), str(CALLEE_PORT)], address) as process:
            yield Subject(Kind.RELAY, address, lambda: {process.pid: "relay"})


_STARTERS: dict[Kind, Callable[[int, Mapping[str, str]], AbstractContextManager[Subject]]] = {
    Kind.KAMAILIO: _kamailio,
    Kind.OURS: _ours,
    Kind.ASSIGNMENT: _assignment,
    Kind.RELAY: _relay,
    Kind.BEFORE: _before,
}


@contextmanager
def _process(command: list[str], address: Address) -> Iterator[psutil.Process]:
    """A process that is killed at the end; ready when it has its port."""
    with subprocess.Popen(command, cwd=PROJECT) as process:
        try:
            wait_until(lambda: _is_bound(address[1]), f"{command[0]} listening")
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def _is_bound(port: int) -> bool:
    rows = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(int(row.split()[1].partition(":")[2], 16) == port for row in rows)


def _our_processes(ours: Switchboard) -> dict[int, str]:
    """Workers by their names; all others are there for them."""
    names = {one["pid"]: f"{one['name']}.{one['instance']}" for one in ours.components()}
    return {each.pid: names.get(each.pid, BESIDE) for each in ours.processes()}


def _tree(root: psutil.Process) -> dict[int, str]:
    return {each.pid: each.name() for each in [root, *root.children(recursive=True)]}
