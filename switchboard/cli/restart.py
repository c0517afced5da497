"""`switchboard restart`: a graceful restart of one component, one of its workers, or all of them."""

from typing import Annotated

import typer

from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.rolling import restart_all
from switchboard.cli.running import ask_or_exit, settings_or_exit
from switchboard.settings.components import Component, workers_of
from switchboard.settings.model import Settings
from switchboard.settings.site import components, endpoints_of, host_of
from switchboard.supervisor.restart import DEADLINE_S

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
        door = endpoints.control(component, host)
        restarted = ask_or_exit(settings, door, "restart", wanted, DEADLINE_S + 1)
        say(f"Restarted: {', '.join(restarted)}.")
        all_restarted += restarted
    return all_restarted


def _hosts(component: Component, wanted: str | None, settings: Settings) -> list[str]:
    """Whose parents are to be asked."""
    workers = workers_of(component, settings.routers)
    named = [each for each in workers if wanted in (None, each.name, str(each))]
    return list(dict.fromkeys(host_of(each, settings) for each in named))


def _targets(settings: Settings) -> dict[str, tuple[Component, str | None]]:
    """What can be restarted: name -> the component and the body of the question (docs/BUS.md)."""
    targets: dict[str, tuple[Component, str | None]] = {}
    for component in components(settings):
        targets[component] = (component, None)
        for worker in workers_of(component, settings.routers):
            targets.setdefault(worker.name, (component, worker.name))
            targets[str(worker)] = (component, str(worker))
    return targets
