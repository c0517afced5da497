"""Whether registered phones answer: asked of the routers, which send them OPTIONS at intervals (setting qualify_s)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from switchboard.bus.context import BusContext
from switchboard.settings.model import Settings
from switchboard.survey.ask import ask_workers
from switchboard.survey.reading import UP

QUESTION: Final = "bindings.reach"


class Reached(NamedTuple):
    """What a router knows of one contact. Seconds; None: it has never answered. `silent`: unanswered since then."""

    latency_s: float | None = None
    seen_s: float | None = None
    silent: int = 0

    @property
    def text(self) -> str:
        """For people; "" if it was not asked yet."""
        if self.silent:
            return "does not answer"
        return "" if self.latency_s is None else f"{1000 * self.latency_s:.0f} ms"


Contacts = Mapping[tuple[str, str], Reached]
"""By user and contact."""


def reach_of(settings: Settings, context: BusContext, users: Iterable[str]) -> Contacts:
    """What is known of the contacts of these users; nothing where nobody is asked."""
    if not settings.qualify_s:
        return {}
    found: dict[tuple[str, str], Reached] = {}
    for answer in _ask(settings, context, sorted(set(users))).values():
        for user, contacts in answer.items():
            found |= {(user, contact): Reached(*known) for contact, *known in contacts}
    return found


def silent_contacts(settings: Settings, context: BusContext) -> list[tuple[str, str, Reached]]:
    """User and contact of phones that do not answer, by user; nothing where nobody is asked."""
    if not settings.qualify_s:
        return []
    return sorted(
        (user, contact, Reached(*known))
        for answer in _ask(settings, context, None).values()
        for user, contacts in answer.items()
        for contact, *known in contacts
    )


def _ask(settings: Settings, context: BusContext, users: list[str] | None) -> dict[str, Any]:
    routers = [{"name": "router", "instance": each, "state": UP} for each in range(settings.routers)]
    return ask_workers(context, settings, routers, QUESTION, users)
