"""A request that the proxy answers itself instead of forwarding it (RFC 3261 §16.3-5)."""

from collections.abc import Sequence


class Refusal(Exception):
    """Ends the processing of a request with a final response of our own.

    `optional`: header fields that are left out first if the response is too long.
    """

    def __init__(
        self,
        status: int,
        reason: str = "",
        headers: Sequence[tuple[str, str]] = (),
        optional: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = headers
        self.optional = optional


def bad_extension(unsupported: Sequence[str]) -> Refusal:
    """What to say to who requires the extensions `unsupported`: option tags, at least one (§8.2.2.3, §16.3 step 5)."""
    return Refusal(420, headers=[("Unsupported", ", ".join(unsupported))])
