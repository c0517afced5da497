"""How many texts wait for a user, as a document (RFC 3842): what a phone's message lamp shows."""

from collections.abc import Callable
from typing import Any


class MessageSummary:
    """The package `message-summary`. `count`: the texts that wait for a user; delivered ones are not kept."""

    name = "message-summary"
    content_type = "application/simple-message-summary"
    lasts_s = 3600
    is_private = True

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count

    def state(self, user: str, _at: float) -> int:
        """How many texts wait."""
        return self._count(user)

    def body(self, entity: str, state: Any, _version: int) -> bytes:
        """The document: new ones and old ones, of which there are none (RFC 3842 §5.2)."""
        waits = "yes" if state else "no"
        lines = (f"Messages-Waiting: {waits}", f"Message-Account: {entity}", f"Text-Message: {state}/0", "")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")
