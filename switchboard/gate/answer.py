"""What is answered without a transaction (RFC 3261 §8.2.7): once a request, and nothing is remembered.

The answer goes to where the request came from, whatever its Via says, and is not larger than the request:
whoever forges the address of somebody else wins nothing by it.
"""

from collections.abc import Sequence
from zlib import crc32

from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop, build_response, received_via, response_address

TAG = "sbr."
"""So begins the To tag of every such answer; the ACK bears it, and ends here."""


def answer_statelessly(
    request: Message, status: int, source: Hop, headers: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, Hop] | None:
    """Return the final response to `request` and where it goes; None where none may leave. ParseError."""
    port = response_address(request, source)[1]
    via = received_via(request, source)
    response = build_response(request, status, to_tag=TAG + _hash(request), headers=headers, top_via=via)
    return (response, (source[0], port)) if len(response) <= len(request.raw) else None


def is_ack_of_such(message: Message) -> bool:
    """Whether the ACK is for an answer of ours without a transaction."""
    return message.method == "ACK" and (message.to_tag or "").startswith(TAG)


def _hash(request: Message) -> str:
    """The same for each retransmission."""
    values = (request.value(number) or b"" for number in (Header.VIA, Header.CALL_ID, Header.CSEQ))
    return f"{crc32(b' '.join(values)):08x}"
