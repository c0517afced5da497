"""What is answered without a transaction (RFC 3261 §8.2.7): once a request, and nothing is remembered.

The answer goes to where the request came from, whatever its Via says, and is not larger than the request:
whoever forges the address of somebody else wins nothing by it.
"""

from collections.abc import Sequence
from zlib import crc32

from switchboard.gate.beginning import transaction_of
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop, build_response, received_via, response_address

TAG = "sbr."
"""So begins the To tag of every such answer; the ACK bears it, and ends here."""

RETRY_AFTER_S = 5
SPREAD_S = 10
"""Those who are sent away must not all come back at once."""

_NO_BODY = b"\r\nContent-Length: 0\r\n"


def answer_statelessly(
    request: Message, status: int, source: Hop, headers: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, Hop] | None:
    """Return the final response and where it goes; None where even the least is too long. ParseError."""
    hop = source[0], response_address(request, source)[1]
    via, tag = received_via(request, source), TAG + f"{transaction_of(request):08x}"
    whole = build_response(request, status, to_tag=tag, headers=headers, top_via=via)
    if len(whole) <= len(request.raw):
        return whole, hop
    least = build_response(request, status, to_tag=tag, top_via=via).replace(_NO_BODY, b"\r\n")
    return (least, hop) if len(least) <= len(request.raw) else None


def is_ack_of_such(message: Message) -> bool:
    """Whether the ACK is for an answer of ours without a transaction."""
    return message.method == "ACK" and (message.to_tag or "").startswith(TAG)


def try_later(request: Message) -> tuple[str, str]:
    """When to try again: not all at once. ParseError."""
    spread_s = crc32(request.value(Header.CALL_ID) or b"") % SPREAD_S
    return "Retry-After", str(RETRY_AFTER_S + spread_s)
