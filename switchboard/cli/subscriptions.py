"""`switchboard subscriptions`: who watches whom (docs/PRESENCE.md)."""

from typing import Annotated, Any

import typer

from switchboard.cli.output import JsonOption, duration, fail, print_json, print_table, say
from switchboard.cli.running import ask_worker, settings_or_exit
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components

HEADINGS = ("watcher", "watches", "package", "contact", "expires in", "NOTIFYs", "note")
_NOTES = {"ends": "ends", "waits": "not answered yet"}
UserOption = Annotated[str, typer.Option("--user", help="Of this user only, watching or watched.")]
EndOption = Annotated[
    bool, typer.Option("--end", help="End them; phones that want to watch subscribe again.")
]


def subscriptions(user: UserOption = "", end: EndOption = False, as_json: JsonOption = False) -> None:
    """List who watches whom, by which package, and until when."""
    settings = settings_or_exit()
    if Component.PRESENCE not in components(settings):
        fail("There is no presence worker: presence is off.")
    found = [each for each in _all(settings) if not user or user in (each["watcher"], each["user"])]
    if end:
        ended = [each for each in found if _ask(settings, "subscriptions.end", each["tag"])]
        say(f"Ended: {len(ended)}.")
        return
    if as_json:
        print_json({"subscriptions": found})
        return
    print_table(HEADINGS, map(_row, found), "Nobody watches anybody.")


def _all(settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := _ask(settings, "subscriptions.list", len(found)):
        found += page
    return sorted(found, key=lambda each: (each["watcher"], each["user"], each["package"]))


def _ask(settings: Settings, question: str, body: object) -> Any:
    return ask_worker(settings, "presence", question, body)


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    failures = f"{each['failures']} not delivered" if each["failures"] else ""
    return (
        each["watcher"] or each["from"],
        each["user"],
        each["package"],
        each["contact"],
        duration(max(0.0, each["left_s"])),
        each["notified"],
        _NOTES.get(each["state"], failures),
    )
