"""Requests that get a final response of our own (RFC 3261 §16.3-5), with a transaction or without.

New work that is refused without a transaction gets the same answer each time it is sent again, with a Retry-After.
"""

from collections.abc import Sequence
from zlib import crc32

from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop, build_response
from switchboard.sip.stateless import answer_no_longer, return_path

ALWAYS_SERVED = ("ACK", "BYE", "CANCEL")


def begins(message: Message) -> bool:
    """Whether it is a request outside a dialog that may be refused."""
    return not (message.status or message.method in ALWAYS_SERVED or message.to_tag)


def transaction_of(request: Message) -> int:
    """A number that a retransmission of the request has, too."""
    values = (request.value(number) or b"" for number in (Header.VIA, Header.CALL_ID, Header.CSEQ))
    return crc32(b" ".join(values))


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


TAG = "sbr."
"""So begins the To tag of every such answer; the ACK bears it, and ends here."""

RETRY_AFTER_S = 5
SPREAD_S = 10
"""Those who are sent away must not all come back at once."""


def answer_statelessly(
    request: Message, status: int, source: Hop, headers: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, Hop] | None:
    """Return the final response and where it goes; None where that, without `headers`, is too long."""
    return answer_no_longer(request, source, status, optional=headers, to_tag=tag_of(request))


def answer_on_stream(
    request: Message, status: int, source: Hop, headers: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, Hop]:
    """The same over a connection: the sender is who it seems to be, so the response may be longer than the request."""
    hop, via = return_path(request, source)
    return build_response(request, status, "", tag_of(request), headers, via), hop


def tag_of(request: Message) -> str:
    """The To tag of its answer, which a retransmission gets again."""
    return TAG + f"{transaction_of(request):08x}"


def is_ack_of_such(message: Message) -> bool:
    """Whether the ACK is for an answer of ours without a transaction."""
    return message.method == "ACK" and (message.to_tag or "").startswith(TAG)


def try_later(request: Message) -> tuple[str, str]:
    """When to try again: not all at once. ParseError."""
    spread_s = crc32(request.value(Header.CALL_ID) or b"") % SPREAD_S
    return "Retry-After", str(RETRY_AFTER_S + spread_s)
