"""What the journal is told of a forwarded request: that it rang, was answered, failed, or ended a call."""

from typing import Final

from switchboard.core.calls import session_expires_s
from switchboard.core.commands import ProxyEffects
from switchboard.core.request import IncomingRequest
from switchboard.sip.headers import Header
from switchboard.sip.message import Message

_REFRESHING: Final = ("INVITE", "UPDATE")
_RECORD_ROUTE: Final = bytes((Header.RECORD_ROUTE,))


def note(incoming: IncomingRequest, effects: ProxyEffects, kind: str, *details: object) -> None:
    """Something happened to the call that `incoming` begins; nothing if it begins none."""
    if incoming.begins_call:
        effects.events.append(incoming.event(kind, effects.at, *details))


def note_success(incoming: IncomingRequest, age_s: float, response: Message, effects: ProxyEffects) -> None:
    """A 2xx: to the INVITE of a call, to a BYE, or to what refreshes its session (RFC 4028 §8).

    `age_s`: how long ago the request came.
    """
    if not incoming.is_in_dialog:
        session_s, record_routed = session_expires_s(response), _RECORD_ROUTE in response.numbers
        note(incoming, effects, "answered", response.to_tag, response.status, session_s, record_routed)
        return
    note_bye(incoming, age_s, response.status, effects)
    if incoming.method in _REFRESHING:
        tags = incoming.message.from_tag, incoming.message.to_tag
        effects.events.append(incoming.event("refreshed", effects.at, *tags, session_expires_s(response)))


def note_bye(incoming: IncomingRequest, age_s: float, status: int, effects: ProxyEffects) -> None:
    """The final of a BYE, as the other side gave it: the caller hears 500 for 503, and no 408."""
    if incoming.method == "BYE" and incoming.is_in_dialog:
        tags = incoming.message.from_tag, incoming.message.to_tag
        effects.events.append(incoming.event("bye", effects.at - age_s, *tags, status))
