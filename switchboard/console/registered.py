"""Who is registered: read from the registrar's store where it is on this host, else asked for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from switchboard.bus.ask import ask
from switchboard.bus.context import BusContext
from switchboard.registrar.sqlite import read_snapshot
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here

REGISTRAR = "registrar.0"
ANSWER_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class RegisteredPhone:
    """One binding as people want it. `expires_at`: epoch s."""

    user: str
    contact: str
    user_agent: str
    source: str
    expires_at: float
    q: float

    @property
    def left_s(self) -> float:
        """Seconds that it is still registered."""
        return max(0.0, self.expires_at - time.time())


def registered_phones(settings: Settings, context: BusContext, now_at: float) -> list[RegisteredPhone]:
    """Return all bindings that have not expired, by user. BusError or StoreError if nobody can tell."""
    found = _stored(settings) if is_here(REGISTRAR, settings) else _asked(settings, context)
    return sorted((each for each in found if each.expires_at > now_at), key=lambda each: each.user)


def contacts_of(user: str, settings: Settings, context: BusContext) -> list[str]:
    """Return the contacts that a user has now. Errors as above."""
    return [each.contact for each in registered_phones(settings, context, time.time()) if each.user == user]


def _stored(settings: Settings) -> Iterator[RegisteredPhone]:
    _, users = read_snapshot(settings.store_path)
    for user, bindings in users.items():
        for each in bindings:
            yield RegisteredPhone(user, each.contact, each.user_agent, each.source, each.expires_at, each.q)


def _asked(settings: Settings, context: BusContext) -> Iterator[RegisteredPhone]:
    endpoint = endpoints_of(settings).ask("registrar")
    for user, bindings in ask(endpoint, "location.list", None, ANSWER_WITHIN_S, context):
        for each in bindings:
            yield RegisteredPhone(
                user, each["contact_uri"], each["user_agent"], each["source"], each["expires_at"], each["q"]
            )
