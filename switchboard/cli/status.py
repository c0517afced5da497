"""`switchboard status`: how the workers of all components are."""

import socket
from typing import Any

import typer
import zmq

from switchboard.bus.board import Board
from switchboard.bus.endpoints import Endpoints
from switchboard.cli.output import FAILED, JsonOption, duration, print_json, print_table
from switchboard.cli.running import settings_or_exit
from switchboard.components import Component, workers_of
from switchboard.settings import Settings

ANSWER_WITHIN_S = 1.0
HEADINGS = ("name", "instance", "pid", "state", "up for", "restarts", "host")


def status(as_json: JsonOption = False) -> None:
    """Say how each worker is. Exit status: 0 if all are up, else 1."""
    components = _ask_all(settings_or_exit())
    if as_json:
        print_json({"components": components})
    else:
        print_table(HEADINGS, map(_row, components), "")
    if any(each["state"] != "up" for each in components):
        raise typer.Exit(FAILED)


def _ask_all(settings: Settings) -> list[dict[str, Any]]:
    endpoints = Endpoints(settings.run_dir)
    with zmq.Context() as context:
        board = Board(context, {name: endpoints.control(name) for name in Component})
        board.wait(ANSWER_WITHIN_S)
        board.close()
    return [
        worker
        for component in Component
        for worker in board.answers.get(component) or _silent(component, settings)
    ]


def _silent(component: Component, settings: Settings) -> list[dict[str, Any]]:
    """What is said of a component whose parent does not answer."""
    return [
        {
            "name": worker.name,
            "instance": worker.instance,
            "pid": None,
            "host": socket.gethostname(),
            "state": "down",
            "uptime_s": 0.0,
            "restarts": 0,
        }
        for worker in workers_of(component, settings.routers)
    ]


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
