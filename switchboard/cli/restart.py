"""`switchboard restart`: new processes for old ones, one component or host after the other."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.rpc import RpcError, RpcGroup, call_rpc
from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, progress, say
from switchboard.cli.running import call_or_exit, context_or_exit, settings_or_exit
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components, endpoints_of, host_of, lasting_workers, parents
from switchboard.supervisor.supervisor import DEADLINE_S

ANSWER_WITHIN_S = 2.0
ORDER = (
    "console",
    "history",
    "presence",
    "trunks",
    "journal",
    "edge-tx",
    "edge-stream",
    "translator",
    "router",
    "registrar",
    "edge-rx",
)
"""Who reads before who writes, so that a frame of the new code finds nobody who runs the old one. The first
ones are missed least: a broken upgrade shows while calls do not notice.
"""


def restart_all(settings: Settings) -> list[str]:
    """Restart all workers, a line for each, and return them; at the first failure stop with status 1."""
    with context_or_exit(settings) as context:
        return _restart_all(settings, context)


def _restart_all(settings: Settings, context: BusContext) -> list[str]:
    workers = _workers(settings, context)
    names = [worker for worker, _ in workers]
    servers = list(dict.fromkeys(server for _, server in workers))
    done = 0
    try:
        _have_code_loaded(servers, True, context)
        with progress("Restarting", len(workers)) as step:
            for worker, server in workers:
                took_s = _restart_worker(worker, server, context)
                step(f"{worker} restarted in {took_s:.1f} s")
                done += 1
    except RpcError as error:
        fail(
            f"Stopped: {error}.\n"
            f"Restarted: {', '.join(names[:done]) or 'none'}. Not restarted: {', '.join(names[done:])}."
        )
    finally:
        _have_code_loaded(servers, False, context)
    return names


def _have_code_loaded(servers: Sequence[Endpoint], wanted: bool, context: BusContext) -> None:
    """Let the parents load the code once for all of their workers. One of an older release does without."""
    for server in servers:
        with suppress(RpcError):
            call_rpc(server, "load", wanted, ANSWER_WITHIN_S, context)


def _restart_worker(worker: str, control_socket: str, context: BusContext) -> float:
    """Restart one worker; returns the seconds that it took. BusError: it was not."""
    begun = time.monotonic()
    call_rpc(control_socket, "restart", worker, DEADLINE_S + 1, context)
    return time.monotonic() - begun


def _workers(settings: Settings, context: BusContext) -> list[tuple[str, Endpoint]]:
    """The workers that the parents have now, in ORDER, each with its parent's socket."""
    servers = {name: server for name, (_, _, server) in parents(settings).items()}
    group = RpcGroup(context, servers)
    group.wait(ANSWER_WITHIN_S)
    group.close()
    if silent := [name for name in servers if name not in group.answers]:
        fail(
            f"Nothing was restarted: in the data directory {settings.data_dir} "
            f"there is no answer from {', '.join(silent)}. See `switchboard status`."
        )
    found = [(worker, server) for name, server in servers.items() for worker in group.answers[name]]
    found.sort(key=lambda each: (ORDER.index(each[0]["name"]), each[0]["instance"]))
    return [(f"{worker['name']}.{worker['instance']}", server) for worker, server in found]


Target = Annotated[
    str | None, typer.Argument(metavar="[NAME[.INSTANCE]]", help="edge, edge-rx, router, router.1, …")
]
All = Annotated[bool, typer.Option("--all", help="All workers, one after the other.")]


def restart(target: Target = None, everything: All = False, as_json: JsonOption = False) -> None:
    """Restart a component or one worker, or roll through all; returns when the new ones are ready."""
    settings = settings_or_exit()
    if (target is None) is not everything:
        fail("Say either what to restart (edge, router, router.1, …), or --all.", MISUSED)
    restarted = restart_all(settings) if target is None else _restart(settings, target)
    if as_json:
        print_json({"restarted": restarted})


def _restart(settings: Settings, target: str) -> list[str]:
    """Restart what is named; return the workers."""
    targets = _targets(settings)
    if target not in targets:
        fail(f"There is no {target!r} to restart. There are: {', '.join(targets)}.", MISUSED)
    component, wanted = targets[target]
    endpoints = endpoints_of(settings)
    all_restarted: list[str] = []
    for host in _hosts(component, wanted, settings):
        server = endpoints.control(component, host)
        restarted = call_or_exit(settings, server, "restart", wanted, DEADLINE_S + 1)
        say(f"Restarted: {', '.join(restarted)}.")
        all_restarted += restarted
    return all_restarted


def _hosts(component: Component, wanted: str | None, settings: Settings) -> list[str]:
    """Whose parents are to be asked."""
    workers = lasting_workers(component, settings)
    named = [each for each in workers if wanted in (None, each.name, str(each))]
    return list(dict.fromkeys(host_of(each, settings) for each in named))


def _targets(settings: Settings) -> dict[str, tuple[Component, str | None]]:
    """What can be restarted: name -> the component and the body of the question (docs/BUS.md)."""
    targets: dict[str, tuple[Component, str | None]] = {}
    for component in components(settings):
        targets[component] = (component, None)
        for worker in lasting_workers(component, settings):
            targets.setdefault(worker.name, (component, worker.name))
            targets[str(worker)] = (component, str(worker))
    return targets
