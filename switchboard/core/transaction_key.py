"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3)."""

from switchboard.sip.dispatch import BRANCH_COOKIE
from switchboard.sip.message import Message
from switchboard.sip.via import Via

ServerKey = tuple[str | int, ...]
ClientKey = tuple[str, str]

_COOKIE = BRANCH_COOKIE.lower()


def server_key(request: Message, via: Via, method: str = "") -> ServerKey:
    """Return the key of the server transaction for `request`, whose top Via is `via`.

    `method` overrides the request's: a CANCEL looks for the INVITE (§9.2). An ACK always does.
    A branch without the magic cookie comes from an RFC 2543 element: then the fields of §17.2.3 decide;
    so they do for a cookie without anything behind it (RFC 4475 §3.2.1).
    """
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    branch = via.branch.lower()
    if branch.startswith(_COOKIE) and branch != _COOKIE:
        return branch, via.host, via.port or 5060, method
    sequence = request.cseq[0]
    return request.uri, request.from_tag, request.call_id, sequence, request.top_via, method


def client_key(branch: str, method: str) -> ClientKey:
    """Return the key of the client transaction that sent `method` with our `branch`."""
    return branch, method
