"""What several hosts cost and carry: the same calls on one host, and on hosts of which each has an address of loopback.

python -m bench.hosts cost            CPU per call of one host (Unix sockets) and of two (tcp with CURVE: edge and
                                      translator | registrar, router, journal), in turn
    --rate N  --rounds N
python -m bench.hosts carry           what a router costs on the only host for routers, and on each of two
    --rate N  --rounds N
python -m bench.hosts edges           CPU per call with one edge, and with two, where callers are at one and callees
                                      at the other; and with standby routers, beside without
    --rate N  --rounds N

All hosts are on this machine, so two hosts for routers cannot carry more than one here. They are compared by what
their routers cost at the same rate of each: what a host would carry with its cores.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import typer
from system.harness import START_S, Switchboard, free_port, wait_until
from system.hosts import HostBoard
from system.sipmsg import Address

from bench.speed.namespace import enter_own_network
from bench.speed.run import Plan, Run, prepare, run
from bench.speed.subjects import BESIDE, HOST, OURS_SETTINGS, Kind, Subject
from switchboard.transports.lending import NAME

NETWORK, PHONES = "10.77.0", "10.77.0.99"
EDGE = ("edge", "translator")
REST = ("registrar", "router", "journal")
app = typer.Typer(no_args_is_help=True)


@contextmanager
def on_one_host(has_sockets: bool = True) -> Iterator[Subject]:
    """A switchboard with one router; without the edge's sockets it sends through edge-tx, as on another host."""
    with Switchboard({**OURS_SETTINGS, "SWITCHBOARD_ROUTERS": "1"}) as board:
        if not has_sockets:
            (board.data_dir / "run" / NAME).unlink()
            board.cli("restart", "router")
            board.wait_up()
        yield Subject(Kind.OURS, board.address, lambda: _processes([board], board))


@contextmanager
def on_hosts(
    places: Sequence[Sequence[str]],
    routers: int = 1,
    settings: Mapping[str, str] | None = None,
    callees_at: int = -1,
) -> Iterator[Subject]:
    """Hosts with these components, the edge's first; at 127.0.1.1, .2, … `callees_at`: a place among the edges.

    Phones reach the only edge at 127.0.0.1, several at 10.77.0.1, .2, …
    """
    has_edge = ["edge" in components for components in places]
    several = sum(has_edge) > 1
    addresses = [f"{NETWORK}.{at}" if several else HOST for at in range(1, len(places) + 1)]
    for address in [*addresses, PHONES] if several else []:
        subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)
    with TemporaryDirectory(prefix="bench-hosts-") as name, ExitStack() as stack:
        home, port = Path(name), free_port(addresses[0])
        file = home / "switchboard.toml"
        file.write_text(_toml(places, routers, addresses if several else []))
        boards = [
            _board(home, file, number, (address, port), settings or {})
            for number, address in enumerate(addresses)
        ]
        boards[0].cli("keys")
        for board in boards[1:]:
            shutil.copytree(boards[0].data_dir / "keys", board.data_dir / "keys")
        for board in boards:
            stack.enter_context(board)
        wait_until(lambda: _are_up(boards[0]), "all hosts up", START_S)
        edges = [(address, port) for address, has in zip(addresses, has_edge, strict=True) if has]
        processes = partial(_processes, boards, boards[0])
        yield Subject(Kind.OURS, edges[0], processes, edges[callees_at], PHONES if several else HOST)


def _toml(places: Sequence[Sequence[str]], routers: int, addresses: Sequence[str]) -> str:
    tables = (
        f'[hosts.host{number}]\naddress = "127.0.1.{number + 1}"\ncomponents = {json.dumps(components)}'
        for number, components in enumerate(places)
    )
    seen = (f'sip_addresses = ["{address}/24"]' for address in addresses)
    lines = (line for pair in zip_longest(tables, seen, fillvalue="") for line in pair)
    return "\n".join([f"routers = {routers}", *lines, ""])


def _board(home: Path, file: Path, number: int, place: Address, settings: Mapping[str, str]) -> Switchboard:
    no_limit = {"SWITCHBOARD_RATE_EXEMPT": f"{NETWORK}.0/24,127.0.0.0/8"}
    own = no_limit | {"SWITCHBOARD_CONFIG": str(file), "SWITCHBOARD_HOST": f"host{number}"}
    environment = {**OURS_SETTINGS, **own, **settings}
    (host, port), data_dir = place, home / f"host{number}"
    return HostBoard(environment, host=host, port=port, data_dir=data_dir, runner=("switchboard", "start"))


def _workers(board: Switchboard) -> list[Mapping[str, object]]:
    components: list[Mapping[str, object]] = json.loads(board.cli("status", "--json", check=False).stdout)[
        "components"
    ]
    return components


def _are_up(board: Switchboard) -> bool:
    return all(one["state"] == "up" for one in _workers(board))


def _processes(boards: Sequence[Switchboard], asked: Switchboard) -> dict[int, str]:
    names = {one["pid"]: f"{one['name']}.{one['instance']}" for one in _workers(asked)}
    found: list[psutil.Process] = [each for board in boards for each in board.processes()]
    return {each.pid: names.get(each.pid, BESIDE) for each in found}


SetUp = Callable[[], AbstractContextManager[Subject]]
ROUTERS = ((*EDGE, "registrar", "journal"), ("router.0",), ("router.1",))
SET_UPS: Mapping[str, SetUp] = {
    "one host": on_one_host,
    "one host, through edge-tx": lambda: on_one_host(has_sockets=False),
    "two hosts": lambda: on_hosts((EDGE, REST)),
}
OF_EDGES: Mapping[str, SetUp] = {
    "one edge": lambda: on_hosts((EDGE, REST)),
    "two edges, all phones at one": lambda: on_hosts((EDGE, REST, ("edge",)), callees_at=0),
    "two edges, callers at one, callees at the other": lambda: on_hosts((EDGE, REST, ("edge",))),
}
OF_STANDBY: Mapping[str, SetUp] = {
    "without standby routers": lambda: on_hosts(ROUTERS, 2),
    "with standby routers": lambda: on_hosts(ROUTERS, 2, {"SWITCHBOARD_ROUTER_STANDBY": "true"}),
}


@app.command()
def cost(rate: Annotated[int, typer.Option()] = 1000, rounds: Annotated[int, typer.Option()] = 3) -> None:
    """Measure the CPU per call of one host and of two, in turn."""
    _compare(SET_UPS, rate, rounds)


@app.command()
def edges(rate: Annotated[int, typer.Option()] = 500, rounds: Annotated[int, typer.Option()] = 3) -> None:
    """Measure the CPU per call of one edge and of two, and without and with standby routers, in turn."""
    for set_ups in (OF_EDGES, OF_STANDBY):
        _compare(set_ups, rate, rounds)


def _compare(set_ups: Mapping[str, SetUp], rate: int, rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in set_ups}
    for _ in range(rounds):
        for name, start in set_ups.items():
            with start() as subject:
                processes = subject.processes()
                prepare(subject, Plan(rate).users)
                measured = run(subject, Plan(rate))
            found[name].append(measured.cpu_ms)
            typer.echo(f"{name}: {_describe(measured, processes)}")
    first = median(next(iter(found.values())))
    for name, each in found.items():
        spread = f"{min(each):.3f}–{max(each):.3f}"
        typer.echo(
            f"{name}: {median(each):.3f} ms a call ({spread}), {median(each) / first:.2f} times the first"
        )


def _describe(measured: Run, processes: Mapping[int, str]) -> str:
    parts = {
        processes.get(pid, BESIDE): 1e6 * each.cpu_s / measured.calls for pid, each in measured.cost.items()
    }
    shown = ", ".join(f"{name} {part:.0f}" for name, part in sorted(parts.items()) if part >= 1)
    return f"{measured.cpu_ms:.3f} ms a call {measured.flaw} ({shown} µs)"


@app.command()
def carry(rate: Annotated[int, typer.Option()] = 700, rounds: Annotated[int, typer.Option()] = 3) -> None:
    """Compare what a router costs on the only host for routers, and on each of two, at the same rate of each."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count, each in found.items():
            each.append(_router_us(count, rate))
            typer.echo(f"{count} of {rate} calls/s each: {each[-1]:.0f} µs of a router for each of its calls")
    one, two = (median(each) for each in found.values())
    typer.echo(
        f"{one:.0f} µs with one host, {two:.0f} with two: two carry {2 * one / two:.2f} times what one does"
    )


def _router_us(count: int, rate: int) -> float:
    """CPU of a router for each call that it has, where `count` hosts have a router each, at `rate` calls/s of each."""
    places = [(*EDGE, "registrar", "journal"), *((f"router.{number}",) for number in range(count))]
    plan = Plan(count * rate, warm_s=1.0, window_s=4.0)
    with on_hosts(places, count) as subject:
        prepare(subject, plan.users)
        routers = [pid for pid, name in subject.processes().items() if name.startswith("router.")]
        measured = run(subject, plan)
    return 1e6 * sum(measured.cost[pid].cpu_s for pid in routers) / measured.calls


if __name__ == "__main__":
    enter_own_network("bench.hosts")
    app()
