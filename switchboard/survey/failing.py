"""Whose phones keep failing to prove a password, as the workers that ask for one know it (I/O rim)."""

from collections.abc import Iterable
from typing import Any

from switchboard.auth.failing import Failing
from switchboard.bus.context import BusContext
from switchboard.settings.model import Settings
from switchboard.survey.ask import ask_workers

QUESTION = "auth.failing"
ASKED = ("registrar", "router")
SHOWN = 20


def failing_phones(
    settings: Settings, context: BusContext, workers: Iterable[dict[str, Any]]
) -> list[Failing]:
    """The latest SHOWN, one of each user; none where nobody is asked for a password."""
    if settings.auth == "off":
        return []
    asked = [each for each in workers if each["name"] in ASKED]
    told = ask_workers(context, settings, asked, QUESTION).values()
    found = sorted((Failing(*each) for some in told for each in some), key=lambda each: each.last_at)
    latest = {each.user: each for each in found}
    return sorted(latest.values(), key=lambda each: -each.last_at)[:SHOWN]
