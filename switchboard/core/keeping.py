"""Requests that the presence worker takes over; and texts that no phone has taken, which it keeps (RFC 3428 §8).

Theory. A text is a MESSAGE to a user of ours outside a dialog. Where nobody is registered, or all that came of it is
that nobody is there (`NOBODY_THERE`), the router hands it to the worker, which answers the sender: by 202 if it keeps
the text, else by the refusal that the sender would have had. The sender waits for 64 T1, as long as we wait for a phone
that does not answer. So such a phone is given up after `SILENT_T1` T1, and if it answers later, the worker forgets the
text. Until then each repetition of the request, and a successor of the router, hands it over again; the worker knows
it by Call-ID, From tag and CSeq.
"""

from hashlib import sha256
from typing import Final

from switchboard.core.commands import Delegated
from switchboard.core.environment import Environment
from switchboard.core.preprocess import Routing
from switchboard.core.request import IncomingRequest
from switchboard.sip.message import Message
from switchboard.sip.splice import without_lines

NOBODY_THERE: Final = frozenset({408, 430, 480, 503})
SILENT_T1: Final = 16
"""After so many T1 without an answer, and five datagrams, nobody is there."""
NOT_KEPT: Final = 0
KEPT: Final = 1
"""The worker answers the sender, and a phone may still take the text."""
ARRIVED: Final = 2
"""The worker has answered the sender, and then a phone took the text."""


def tag_of(message: Message) -> str:
    """The To tag of the answer to a text, the same from whoever gives it, however often."""
    parts = "\0".join((message.call_id, message.from_tag, str(message.cseq[0])))
    return sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def delegated(
    env: Environment, incoming: IncomingRequest, routing: Routing, user: str, status: int
) -> Delegated:
    """What the worker gets of a request for `user`: without what it may not pass on, if that is for later.

    Who sends is believed where nobody has to prove it. `status`: as in `Delegated`.
    """
    admission, message = env.admission, incoming.message
    is_believed = admission is None or incoming.source.host in admission.authenticator.trusted
    sender = routing.user or (incoming.caller if is_believed else "")
    left_out = env.policy.left_out(incoming) if status else []
    if left_out:
        message = without_lines(message, left_out)
    return Delegated(incoming.source, message.index.tobytes(), message.raw, sender, user, status)
