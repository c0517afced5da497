"""`switchboard log-level`: how much the workers tell, changed while they run."""

from typing import Annotated, NoReturn

import typer

from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.log_levels import LEVELS
from switchboard.settings.components import workers_of
from switchboard.settings.model import Settings
from switchboard.settings.site import components
from switchboard.survey.ask import ask_parents, ask_workers, name_of

HEADINGS = ("worker", "level")
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
        print_table(HEADINGS, levels.items(), "")
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
        for worker in workers_of(component, settings.routers):
            for name in dict.fromkeys((str(component), worker.name, str(worker))):
                found.setdefault(name, []).append(str(worker))
    return found


def _is_meant(worker: str, target: str, settings: Settings) -> bool:
    return not target or worker in _targets(settings)[target]
