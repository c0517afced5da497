"""The only place that edits messages: it splices the bytes that a proxy has to change (RFC 3261 §16.6-7).

Every function takes the bytes of the received message and returns the bytes of the message to send. Everything that its
arguments do not name is copied unchanged. Those that end in `_in_python` are the references of their compiled
twins, or stand in for them.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.phrases import REASON_PHRASES
from switchboard.sip.scan import BODY_END, BODY_START, URI_END, URI_START

Edit = tuple[int, int, bytes]

_RPORT = re.compile(rb";[ \t\r\n]*rport(?:[ \t\r\n]*=[^;,]*)?(?=[ \t\r\n]*(?:;|\Z))", re.IGNORECASE)
_RECEIVED = re.compile(rb";[ \t\r\n]*received[ \t\r\n]*=[^;,]*", re.IGNORECASE)
_NEXT_VALUE = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+(?!\Z)")


class Forwarding(NamedTuple):
    """What changes in a request on its way through a proxy.

    `uri`: the new Request-URI. `via`: the value of our Via. `top_via`: the received top Via as completed
    by `complete_via`. `routes`: the Route values that stay; None leaves the Route fields untouched.
    `left_out`: start and end of lines that stay behind. `added`: header lines, without CRLF.
    """

    uri: bytes
    via: bytes
    top_via: bytes
    max_forwards: int
    record_routes: Sequence[bytes] = ()
    routes: Sequence[bytes] | None = None
    left_out: Sequence[tuple[int, int]] = ()
    added: Sequence[bytes] = ()


def forward_request_in_python(request: Message, change: Forwarding) -> bytes:
    """Return the copy of `request` that is sent on (§16.6)."""
    edits = [(request.index[URI_START], request.index[URI_END], change.uri)]
    edits.append((request.headers_start, request.headers_start, _new_lines(request, change)))
    edits.append((*request.top_via_span, change.top_via))
    if Header.MAX_FORWARDS in request.numbers:
        edits.append((*request.value_span(Header.MAX_FORWARDS), b"%d" % change.max_forwards))
    if change.routes is not None:
        edits += [(start, end, b"") for start, end in request.lines(Header.ROUTE)]
    edits += [(start, end, b"") for start, end in change.left_out]
    return splice(request.raw, edits, request.index[BODY_END])


def _new_lines(request: Message, change: Forwarding) -> bytes:
    lines = [b"Via: " + change.via]
    lines += change.added
    lines += [b"Record-Route: " + value for value in change.record_routes]
    if change.routes:
        lines.append(b"Route: " + b", ".join(change.routes))
    if Header.MAX_FORWARDS not in request.numbers:
        lines.append(b"Max-Forwards: %d" % change.max_forwards)
    return b"\r\n".join(lines) + b"\r\n"


def splice(raw: bytes, edits: list[Edit], end: int) -> bytes:
    """Return `raw` up to `end` with its edits: start, end, and what stands there instead."""
    pieces: list[bytes] = []
    position = 0
    for start, stop, replacement in sorted(edits):
        pieces += (raw[position:start], replacement)
        position = stop
    pieces.append(raw[position:end])
    return b"".join(pieces)


def complete_via_in_python(via: bytes, host: bytes, port: int, add_received: bool) -> bytes:
    """Return the top Via value of a request with `received` and `rport` filled in (§18.2.1, RFC 3581 §4).

    `host`, `port`: where the datagram came from. A `received` that the sender wrote itself is replaced.
    `rport` is filled only where it was asked for, and then `received` stands beside it.
    """
    filled, asked = _RPORT.subn(b";rport=%d" % port, via, count=1)
    if not asked and not add_received:
        return via
    if b"received" in filled.lower():
        filled = _RECEIVED.sub(b"", filled)
    return filled.rstrip(b"; \t") + b";received=" + host


def strip_top_via_in_python(response: Message) -> bytes:
    """Return `response` without its topmost Via value (§16.7 step 3); `ParseError` if it is the only one."""
    start, end = top_via_cut_in_python(response)
    return response.raw[:start] + response.raw[end : response.index[BODY_END]]


def top_via_cut_in_python(response: Message) -> tuple[int, int]:
    """Return what `strip_top_via` leaves out: start and end; `ParseError` if nothing would be left."""
    line_start, line_end = response.first_via_line
    value_start, value_end = response.top_via_span
    if value_end < line_end - 2 and (comma := _NEXT_VALUE.match(response.raw, value_end, line_end - 2)):
        return value_start, comma.end()
    if response.numbers.count(Header.VIA) > 1:
        return line_start, line_end
    raise ParseError("Response With One Via", "Via")


def replace_reason(raw: bytes, reason: bytes) -> bytes:
    """Return the response `raw` with `reason` as the phrase of its status line."""
    return raw[:12] + reason + raw[raw.index(b"\r\n") :]


def add_lines(response: Message, lines: Sequence[bytes]) -> bytes:
    """Return `response` with header `lines` (without CRLF) added after its last one (§16.7 step 7)."""
    added = b"".join(line + b"\r\n" for line in lines)
    return splice(
        response.raw, [(response.headers_end, response.headers_end, added)], response.index[BODY_END]
    )


def without_lines(message: Message, lines: Sequence[tuple[int, int]]) -> Message:
    """Return `message` without these header lines, given by start and end."""
    edits = [(start, end, b"") for start, end in lines]
    return parse_message(splice(message.raw, edits, message.index[BODY_END]))


def with_body(message: Message, body: bytes) -> bytes:
    """Return `message` with another body of the same type, and the length of that."""
    lines = [(start, end, b"") for start, end in message.lines(Header.CONTENT_LENGTH)]
    end = message.headers_end
    edits = [*lines, (end, end, b"Content-Length: %d\r\n" % len(body))]
    return splice(message.raw, edits, message.index[BODY_START]) + body


def make_refusal(response: Message, status: int, warning: str) -> bytes:
    """Return a refusal in place of the 2xx `response`, as its sender would have sent it, with a Warning (§20.43)."""
    lines = [
        b"SIP/2.0 %d %b" % (status, REASON_PHRASES[status].encode()),
        *(response.raw[start : end - 2] for start, end in response.lines(Header.VIA)),
        b"From: " + (response.value(Header.FROM) or b""),
        b"To: " + (response.value(Header.TO) or b""),
        b"Call-ID: " + (response.value(Header.CALL_ID) or b""),
        b"CSeq: " + (response.value(Header.CSEQ) or b""),
        b"Warning: " + warning.encode(),
        b"Content-Length: 0",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def make_ack(invite: Message, response: Message) -> bytes:
    """Return the ACK for a non-2xx final `response` to the `invite` that we sent (§17.1.1.3)."""
    return _same_transaction(invite, b"ACK", (response.value(Header.TO) or b""))


def make_cancel(invite: Message, reasons: Sequence[bytes] = ()) -> bytes:
    """Return the CANCEL for the `invite` that we sent (§9.1), with Reason values (RFC 3326)."""
    return _same_transaction(invite, b"CANCEL", invite.value(Header.TO) or b"", reasons)


def _same_transaction(invite: Message, method: bytes, to: bytes, reasons: Sequence[bytes] = ()) -> bytes:
    start, end = invite.top_via_span
    lines = [
        method + b" " + invite.raw[invite.index[URI_START] : invite.index[URI_END]] + b" SIP/2.0",
        b"Via: " + invite.raw[start:end],
        *(invite.raw[start : end - 2] for start, end in invite.lines(Header.ROUTE)),
        b"From: " + (invite.value(Header.FROM) or b""),
        b"To: " + to,
        b"Call-ID: " + (invite.value(Header.CALL_ID) or b""),
        b"CSeq: %d " % invite.cseq[0] + method,
        b"Max-Forwards: 70",
        *(b"Reason: " + reason for reason in reasons),
        b"Content-Length: 0",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


try:
    from switchboard._native.wire import complete_via as complete_via
    from switchboard._native.wire import forward_request as forward_request
    from switchboard._native.wire import strip_top_via as strip_top_via
    from switchboard._native.wire import top_via_cut as top_via_cut
except ImportError:
    complete_via, forward_request = complete_via_in_python, forward_request_in_python
    strip_top_via, top_via_cut = strip_top_via_in_python, top_via_cut_in_python
