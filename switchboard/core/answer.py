"""What the gate answers without a transaction (`sip/stateless.py`), and how its ACK is known."""

from collections.abc import Sequence
from zlib import crc32

from switchboard.core.beginning import transaction_of
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop
from switchboard.sip.stateless import answer_no_longer

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
