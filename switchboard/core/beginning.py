"""Which messages ask for something new, and which of them are the same one, sent again."""

from zlib import crc32

from switchboard.sip.headers import Header
from switchboard.sip.message import Message

ALWAYS_SERVED = ("ACK", "BYE", "CANCEL")


def begins(message: Message) -> bool:
    """Whether it is a request outside a dialog that may be refused."""
    return not (message.status or message.method in ALWAYS_SERVED or message.to_tag)


def transaction_of(request: Message) -> int:
    """A number that a retransmission of the request has, too."""
    values = (request.value(number) or b"" for number in (Header.VIA, Header.CALL_ID, Header.CSEQ))
    return crc32(b" ".join(values))
