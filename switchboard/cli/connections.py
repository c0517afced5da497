"""`switchboard connections`: the connections of phones over TCP, TLS and WebSocket."""

from typing import Any

from switchboard.cli.output import JsonOption, duration, print_json, print_table
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.settings.hosts import EDGE_STREAM
from switchboard.sip.flow import format_hop
from switchboard.survey.ask import ask_parents, ask_workers
from switchboard.survey.connections import QUESTION

HEADINGS = ("user", "transport", "from", "cipher", "since", "idle", "worker")


def connections(as_json: JsonOption = False) -> None:
    """List the connections, the oldest first, at most 10,000 of each worker."""
    found = _ask()
    if as_json:
        print_json({"connections": found})
        return
    print_table(HEADINGS, map(_row, found), "No connections.")


def _ask() -> list[dict[str, Any]]:
    settings = settings_or_exit()
    with context_or_exit(settings) as context:
        workers = [each for each in ask_parents(context, settings) if each["name"] == EDGE_STREAM]
        answers = ask_workers(context, settings, workers, QUESTION)
    listed = [each for answer in answers.values() for each in answer]
    return sorted(listed, key=lambda each: -each["since_s"])


def _row(found: dict[str, Any]) -> tuple[object, ...]:
    return (
        found["user"],
        found["transport"],
        format_hop(found["host"], found["port"]),
        found["cipher"],
        duration(found["since_s"]),
        duration(found["idle_s"]),
        found["worker"],
    )
