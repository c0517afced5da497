"""What several hosts cost and carry: the same calls on one host, and on hosts of which each has an address of loopback.

python -m bench.hosts cost            CPU per call of one host (Unix sockets) and of two (tcp with CURVE: edge and
                                      translator | registrar, router, journal), in turn
    --rate N  --rounds N
python -m bench.hosts carry           what a router costs on the only host for routers, and on each of two
    --rate N  --rounds N

All hosts are on this machine, so two hosts for routers cannot carry more than one here. They are compared by what
their routers cost at the same rate of each: what a host would carry with its cores.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import typer
from system.harness import START_S, Switchboard, free_port, wait_until
from system.hosts import HostBoard

from bench.speed.namespace import enter_own_network
from bench.speed.run import Plan, Run, prepare, run
from bench.speed.subjects import BESIDE, HOST, OURS_SETTINGS, Kind, Subject
from switchboard.transports.lending import NAME

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
def on_hosts(places: Sequence[Sequence[str]], routers: int = 1) -> Iterator[Subject]:
    """Hosts with these components, the edge's first; at 127.0.1.1, .2, …"""
    with TemporaryDirectory(prefix="bench-hosts-") as name, ExitStack() as stack:
        home, port = Path(name), free_port(HOST)
        settings = home / "switchboard.toml"
        settings.write_text(_toml(places, routers))
        boards = [_board(home, settings, number, port) for number in range(len(places))]
        boards[0].cli("keys")
        for board in boards[1:]:
            shutil.copytree(boards[0].data_dir / "keys", board.data_dir / "keys")
        for board in boards:
            stack.enter_context(board)
        wait_until(lambda: _are_up(boards[0]), "all hosts up", START_S)
        yield Subject(Kind.OURS, (HOST, port), lambda: _processes(boards, boards[0]))


def _toml(places: Sequence[Sequence[str]], routers: int) -> str:
    tables = (
        f'[hosts.host{number}]\naddress = "127.0.1.{number + 1}"\ncomponents = {json.dumps(components)}'
        for number, components in enumerate(places)
    )
    return "\n".join([f"routers = {routers}", *tables, ""])


def _board(home: Path, settings: Path, number: int, port: int) -> Switchboard:
    environment = {**OURS_SETTINGS, "SWITCHBOARD_CONFIG": str(settings), "SWITCHBOARD_HOST": f"host{number}"}
    data_dir = home / f"host{number}"
    return HostBoard(environment, host=HOST, port=port, data_dir=data_dir, runner=("switchboard", "start"))


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


SET_UPS: dict[str, Callable[[], AbstractContextManager[Subject]]] = {
    "one host": on_one_host,
    "one host, through edge-tx": lambda: on_one_host(has_sockets=False),
    "two hosts": lambda: on_hosts((EDGE, REST)),
}


@app.command()
def cost(rate: Annotated[int, typer.Option()] = 1000, rounds: Annotated[int, typer.Option()] = 3) -> None:
    """Measure the CPU per call of each set-up, in turn."""
    found: dict[str, list[float]] = {name: [] for name in SET_UPS}
    for _ in range(rounds):
        for name, start in SET_UPS.items():
            with start() as subject:
                processes = subject.processes()
                prepare(subject, Plan(rate).users)
                measured = run(subject, Plan(rate))
            found[name].append(measured.cpu_ms)
            typer.echo(f"{name}: {_describe(measured, processes)}")
    first = median(found["one host"])
    for name, each in found.items():
        typer.echo(f"{name}: {median(each):.3f} ms a call, {median(each) / first:.2f} times one host")


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
