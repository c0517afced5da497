"""`switchboard status`: how the workers of all components are."""

from typing import Any

import typer

from switchboard.bus.board import Board
from switchboard.bus.context import BusContext
from switchboard.cli.output import FAILED, JsonOption, duration, print_json, print_table, say
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.components import Component, workers_of
from switchboard.settings import Settings
from switchboard.site import endpoints_of, host_of, parents

ANSWER_WITHIN_S = 1.0
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
            for note in each["notes"]:
                say(f"{each['name']}.{each['instance']}: {note}")
    if any(each["state"] != "up" for each in components):
        raise typer.Exit(FAILED)


def _ask_all(settings: Settings) -> list[dict[str, Any]]:
    with context_or_exit(settings) as context:
        workers = _ask_parents(context, settings)
        notes = _ask_workers(context, settings, workers)
    return [{**each, "notes": notes.get(_name(each), [])} for each in workers]


def _ask_parents(context: BusContext, settings: Settings) -> list[dict[str, Any]]:
    doors = parents(settings)
    board = Board(context, {name: door for name, (_, _, door) in doors.items()})
    board.wait(ANSWER_WITHIN_S)
    board.close()
    return [
        worker
        for name, (component, host, _) in doors.items()
        for worker in board.answers.get(name) or _silent(component, host, settings)
    ]


def _ask_workers(
    context: BusContext, settings: Settings, workers: list[dict[str, Any]]
) -> dict[str, list[str]]:
    """What those that are up have to say, by NAME.INSTANCE."""
    up = [each for each in workers if each["state"] == "up"]
    endpoints = endpoints_of(settings)
    doors = {_name(each): endpoints.ask(each["name"], each["instance"]) for each in up}
    board = Board(context, doors, "notes")
    board.wait(ANSWER_WITHIN_S)
    board.close()
    return {name: board.answers.get(name, [SILENT]) for name in doors}


def _silent(component: Component, host: str, settings: Settings) -> list[dict[str, Any]]:
    """What is said of a component whose parent does not answer."""
    return [
        {
            "name": worker.name,
            "instance": worker.instance,
            "pid": None,
            "host": host or settings.here,
            "state": "down",
            "uptime_s": 0.0,
            "restarts": 0,
        }
        for worker in workers_of(component, settings.routers)
        if host_of(worker, settings) == host
    ]


def _name(worker: dict[str, Any]) -> str:
    return f"{worker['name']}.{worker['instance']}"


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
