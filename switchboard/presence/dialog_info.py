"""Calls as a document for lamps (RFC 4235): who is called, who rings, who speaks; always the full state.

A call that is over is told once, as some phones put their lamp out by that and not by an empty list. By whom somebody
is called is told to himself only. A document has to fit into a NOTIFY: of more than MOST calls, those that are over are
left out, then the latest.
"""

from collections.abc import Callable
from typing import Any, Final

from switchboard.presence.calls import TERMINATED, Leg
from switchboard.presence.xml import HEAD, attribute, text_for

MOST: Final = 100
NAMESPACE: Final = "urn:ietf:params:xml:ns:dialog-info"


class DialogInfo:
    """The package `dialog`. `legs`: a user's parts in calls."""

    name = "dialog"
    content_type = "application/dialog-info+xml"
    lasts_s = 3600
    is_private = False

    def __init__(self, legs: Callable[[str], tuple[Leg, ...]]) -> None:
        self._legs = legs

    def state(self, user: str, at: float) -> tuple[Leg, ...]:  # noqa: ARG002
        """His parts in calls."""
        legs = self._legs(user)
        return legs if len(legs) <= MOST else tuple(sorted(legs, key=_is_over)[:MOST])

    def body(self, entity: str, state: Any, version: int) -> bytes:
        """The document."""
        head = (
            f"<dialog-info xmlns={attribute(NAMESPACE)} version={attribute(str(version))} "
            f'state="full" entity={attribute(entity)}>'
        )
        return HEAD + "\n".join((head, *map(_dialog, state), "</dialog-info>\n")).encode()


def _is_over(leg: Leg) -> bool:
    return leg.state == TERMINATED


def _dialog(leg: Leg) -> str:
    event = f" event={attribute(leg.event)}" if leg.event else ""
    return (
        f"<dialog id={attribute(leg.name)} direction={attribute(leg.direction)}>"
        f"<state{event}>{text_for(leg.state)}</state></dialog>"
    )
