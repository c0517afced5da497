"""Facts about calls for the journal that no single event has: the length of a session without refresh (RFC 4028), and
calls whose 2xx was forwarded and whose ACK has not come, a hint that the caller ignores Record-Route.

It is only a hint, so it is not written ahead: calls that were answered within 64 · T1 before the process ended are
not reported.
"""

import re

from switchboard.core.commands import CallEvent
from switchboard.core.target import Target
from switchboard.sip.headers import Header
from switchboard.sip.message import Message

LEAST_S = 90
"""No session timer is shorter (§4)."""
_SESSION_EXPIRES = bytes((Header.SESSION_EXPIRES,))
_DELTA_SECONDS = re.compile(r"[0-9]{1,9}(?![0-9])")


def session_expires_s(response: Message) -> int:
    """What Session-Expires in a 2xx says, at least LEAST_S; 0 if there is none, or no number in it."""
    if _SESSION_EXPIRES not in response.numbers:
        return 0
    match = _DELTA_SECONDS.match(response.get(Header.SESSION_EXPIRES) or "")
    return max(LEAST_S, int(match[0])) if match else 0


MOST = 100_000
"""Calls that are waited for; of more the oldest is forgotten."""
LONGEST = 1024
"""Characters of Call-ID and tag; calls of more are not waited for."""


class Unconfirmed:
    """Calls answered within `patience_s` and not acknowledged. `now`: monotonic s."""

    __slots__ = ("_most", "_patience_s", "_since")

    def __init__(self, patience_s: float, most: int = MOST) -> None:
        self._patience_s = patience_s
        self._most = most
        self._since: dict[tuple[str, str, int], tuple[float, Target]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def await_ack(self, invite: Message, target: Target, now: float) -> None:
        """A 2xx to the INVITE was passed on, whose Contact is `target`."""
        if len(invite.call_id) + len(invite.from_tag) > LONGEST:
            return
        if len(self._since) >= self._most:
            del self._since[next(iter(self._since))]
        self._since.setdefault(_key(invite), (now, target))

    def confirm(self, ack: Message) -> Target | None:
        """An ACK came, whatever becomes of it: return where the 2xx came from that it is for, if that is known."""
        awaited = self._since.pop(_key(ack), None)
        return awaited[1] if awaited else None

    def take_overdue(self, now: float, at: float) -> list[CallEvent]:
        """Return an event for each call that has waited for long enough, once. `at`: now in epoch s."""
        overdue = []
        for key, (since, _) in self._since.items():
            if since + self._patience_s > now:  # the very instant at which its transaction ends
                break
            overdue.append(key)
        for key in overdue:
            del self._since[key]
        return [CallEvent("unconfirmed", call_id, from_tag, at) for call_id, from_tag, _ in overdue]


def _key(message: Message) -> tuple[str, str, int]:
    return message.call_id, message.from_tag, message.cseq[0]
