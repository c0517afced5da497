"""`switchboard status`: how the workers of all components are."""

from typing import Any

import typer

from switchboard.cli.output import FAILED, JsonOption, duration, print_json, print_table, say
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.settings.model import Settings
from switchboard.survey.ask import ask_parents, ask_workers, name_of
from switchboard.survey.reading import UP

HEADINGS = ("name", "instance", "pid", "state", "up for", "restarts", "host")
SILENT = "does not answer"


def status(as_json: JsonOption = False) -> None:
    """Say how each worker is. Exit status: 0 if all are up, else 1."""
    components = _ask_all(settings_or_exit())
    if as_json:
        print_json({"components": components})
    else:
        print_table(HEADINGS, map(_row, components), "")
        for each in components:
            if address := each.get("address"):
                say(f"{each['name']}: {address}")
            for note in each["notes"]:
                say(f"{each['name']}.{each['instance']}: {note}")
    if any(each["state"] != "up" for each in components):
        raise typer.Exit(FAILED)


def _ask_all(settings: Settings) -> list[dict[str, Any]]:
    with context_or_exit(settings) as context:
        workers = ask_parents(context, settings)
        notes = ask_workers(context, settings, workers, "notes")
    return [{**each, "notes": notes.get(name_of(each), _no_notes(each))} for each in workers]


def _no_notes(worker: dict[str, Any]) -> list[str]:
    return [SILENT] if worker["state"] == UP else []


def _row(worker: dict[str, Any]) -> tuple[object, ...]:
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
