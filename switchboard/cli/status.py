"""`switchboard status`, `metrics` and `log-level`: the state of the workers, and the level of their logs."""

from typing import Annotated, Any, NoReturn, get_args

import typer

from switchboard.cli.output import FAILED, MISUSED, JsonOption, duration, fail, print_json, print_table, say
from switchboard.cli.running import context_or_exit, refuse_strangers, settings_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.site import components, lasting_workers
from switchboard.settings.types import LogLevel
from switchboard.survey.ask import ask_parents, ask_workers, name_of
from switchboard.survey.reading import UP

STATUS_HEADINGS = ("name", "instance", "pid", "state", "up for", "restarts", "host")
SILENT = "does not answer"


HereOption = Annotated[bool, typer.Option("--here", help="Only the workers of this host.")]


def status(as_json: JsonOption = False, here: HereOption = False) -> None:
    """Say how each worker is. Exit status: 0 if all are up, else 1."""
    components = _ask_all(settings_or_exit(), here)
    if as_json:
        print_json({"components": components})
    else:
        print_table(STATUS_HEADINGS, map(_status_row, components), "")
        for each in components:
            if address := each.get("address"):
                say(f"{each['name']}: {address}")
            for note in each["notes"]:
                say(f"{each['name']}.{each['instance']}: {note}")
    if any(each["state"] != "up" for each in components):
        raise typer.Exit(FAILED)


def _ask_all(settings: Settings, here: bool) -> list[dict[str, Any]]:
    with context_or_exit(settings) as context:
        workers = ask_parents(context, settings, here)
        notes = ask_workers(context, settings, workers, "notes")
    return [{**each, "notes": notes.get(name_of(each), _no_notes(each))} for each in workers]


def _no_notes(worker: dict[str, Any]) -> list[str]:
    if worker["state"] == UP:
        return [SILENT]
    return [f"{worker['state']}: {worker['why']}"] if worker.get("why") else []


def _status_row(worker: dict[str, Any]) -> tuple[object, ...]:
    up_for = duration(worker["uptime_s"]) if worker["state"] == "up" else None
    return (
        worker["name"],
        worker["instance"],
        worker["pid"],
        worker["state"],
        up_for,
        worker["restarts"],
        worker["host"],
    )


def metrics(as_json: JsonOption = False) -> None:
    """Print the metrics once, in the text format of Prometheus, as /metrics of the console has them."""
    from switchboard.metrics.exposition import Exposition

    settings = settings_or_exit()
    refuse_strangers(settings)
    exposition = Exposition(settings)
    if not as_json:
        typer.echo(exposition.text(), nl=False)
        return
    print_json(
        {
            "metrics": [
                {"name": each.name, "labels": each.labels, "value": each.value}
                for family in exposition.collect()
                for each in family.samples
            ]
        }
    )


LEVELS = get_args(LogLevel)
LEVEL_HEADINGS = ("worker", "level")
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME[.INSTANCE]] [LEVEL]", help=f"Whose, and one of {', '.join(LEVELS)}."),
]


def log_level(words: Words = None, as_json: JsonOption = False) -> None:
    """Show the level of the workers' logs, or change it until they restart."""
    settings = settings_or_exit()
    target, level = _understand(words or [], settings)
    with context_or_exit(settings) as context:
        wanted = [
            each for each in ask_parents(context, settings) if _is_meant(name_of(each), target, settings)
        ]
        levels = ask_workers(context, settings, wanted, "log.level", level or None)
    if as_json:
        print_json({"levels": levels})
    else:
        print_table(LEVEL_HEADINGS, levels.items(), "")
    if silent := [name for each in wanted if (name := name_of(each)) not in levels]:
        say(f"No answer: {', '.join(silent)}.")
        raise typer.Exit(FAILED)


def _understand(words: list[str], settings: Settings) -> tuple[str, str]:
    """Target and level; "" for all, and for none."""
    *targets, last = words or [""]
    level = last if last in LEVELS else ""
    if not level:
        targets = [*targets, last]
    if len(targets) > 1:
        _refuse(f"{last!r} is no level", settings)
    target = targets[0] if targets else ""
    if target not in ("", *_targets(settings)):
        _refuse(f"There is neither a worker nor a level {target!r}", settings)
    return target, level


def _refuse(what: str, settings: Settings) -> NoReturn:
    known = ", ".join(_targets(settings))
    fail(f"{what}. Workers: {known}. Levels: {', '.join(LEVELS)}.", MISUSED)


def _targets(settings: Settings) -> dict[str, list[str]]:
    """What can be named: name -> the workers that are meant."""
    found: dict[str, list[str]] = {}
    for component in components(settings):
        for worker in lasting_workers(component, settings):
            for name in dict.fromkeys((str(component), worker.name, str(worker))):
                found.setdefault(name, []).append(str(worker))
    return found


def _is_meant(worker: str, target: str, settings: Settings) -> bool:
    return not target or worker in _targets(settings)[target]
