"""Responses of our own, and where responses go (RFC 3261 §8.2.6, §18.2.2; RFC 3581 §4)."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.phrases import REASON_PHRASES
from switchboard.sip.splice import complete_via
from switchboard.sip.via import Via

Hop = tuple[str, int]
"""Address (without brackets) and port."""

_DEFAULT_PORT = 5060
_LENIENT = re.compile(
    rb"^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


def build_response(
    request: Message,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    headers: Sequence[tuple[str, str]] = (),
    source: Hop | None = None,
) -> bytes:
    """Return a response of our own to `request`.

    Via, From, To, Call-ID and CSeq are copied, `to_tag` is added where To has none (never to a 100), the top
    Via tells `source` (§18.2.1). `reason`: "" for the standard phrase.
    """
    lines = [b"SIP/2.0 %d " % status + (reason or REASON_PHRASES[status]).encode()]
    lines += _vias(request, source)
    lines += (b"From: " + (request.value(Header.FROM) or b""), _to_line(request, status, to_tag))
    lines += (
        b"Call-ID: " + (request.value(Header.CALL_ID) or b""),
        b"CSeq: " + (request.value(Header.CSEQ) or b""),
    )
    if status == 100 and (timestamp := request.value(Header.TIMESTAMP)):
        lines.append(b"Timestamp: " + timestamp)
    lines += (f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in headers)
    lines.append(b"Content-Length: 0")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _vias(request: Message, source: Hop | None) -> list[bytes]:
    lines = [request.raw[start : end - 2] for start, end in request.lines(Header.VIA)]
    if source:
        line_start = request.lines(Header.VIA)[0][0]
        start, end = (offset - line_start for offset in request.top_via_span())
        lines[0] = lines[0][:start] + received_via(request, source) + lines[0][end:]
    return lines


def _to_line(request: Message, status: int, to_tag: str) -> bytes:
    line = b"To: " + (request.value(Header.TO) or b"")
    if to_tag and status > 100 and not request.to_tag:
        line += b";tag=" + to_tag.encode()
    return line


def received_via(request: Message, source: Hop) -> bytes:
    """Return the top Via value of `request`, completed with where it came from (§18.2.1, RFC 3581 §4)."""
    start, end = request.top_via_span()
    host, port = source
    via = Via.parse(request.top_via)
    differs = not _same_host(via.host, host)
    return complete_via(request.raw[start:end], host.encode(), port, add_received=differs)


def response_address(request: Message, source: Hop) -> Hop:
    """Return where responses to `request`, which came from `source`, are sent (§18.2.2, RFC 3581 §4).

    `ParseError` if the top Via cannot be answered to.
    """
    via = Via.parse(request.top_via)
    if via.param("rport") is not None:
        return source
    maddr = via.param("maddr")
    host = maddr if maddr and _is_address(maddr) else source[0]
    return host.strip("[]"), _port(via)


def next_via_address(response: Message) -> Hop:
    """Return where a `response` whose top Via is now the next hop's goes, by that Via alone (§18.2.2)."""
    via = Via.parse(response.top_via)
    host = via.param("maddr") or via.param("received") or via.host
    rport = via.param("rport")
    port = int(rport) if rport and rport.isdecimal() and 0 < int(rport) < 65536 else _port(via)
    if not _is_address(host):
        raise ParseError("Via Without An Address", "Via")
    return host.strip("[]"), port


def reject(raw: bytes, error: ParseError, source: Hop) -> tuple[bytes, Hop] | None:
    """Return the answer to a request that could not be scanned, and where it goes; None if it cannot be told.

    What stands in the readable Via, From, To, Call-ID and CSeq lines is copied (§8.2.6.2, §16.3 step 1).
    """
    if raw.startswith(b"ACK "):
        return None
    fields: dict[bytes, list[bytes]] = {}
    for name, value in _LENIENT.findall(raw.partition(b"\r\n\r\n")[0]):
        fields.setdefault(name.lower()[:1] if name.lower() != b"cseq" else b"s", []).append(value.strip())
    vias = fields.get(b"v")
    if not vias:
        return None
    top = Via.parse(vias[0].split(b",")[0].decode("utf-8", "surrogateescape"))
    vias[0] = (
        complete_via(vias[0], source[0].encode(), source[1], add_received=False)
        if b"," not in vias[0]
        else vias[0]
    )
    lines = [b"SIP/2.0 %d " % error.status + error.reason.encode("utf-8", "surrogateescape")]
    lines += (b"Via: " + via for via in vias)
    for key, name in (
        (b"f", b"From"),
        (b"t", b"To"),
        (b"c", b"Call-ID"),
        (b"i", b"Call-ID"),
        (b"s", b"CSeq"),
    ):
        lines += (name + b": " + value for value in fields.get(key, [])[:1])
    lines += (b"Warning: " + warning_of(error).encode("utf-8", "surrogateescape"), b"Content-Length: 0")
    port = source[1] if top.param("rport") is not None else _port(top)
    return b"\r\n".join(lines) + b"\r\n\r\n", (source[0], port)


def warning_of(error: ParseError) -> str:
    """Return the Warning value that tells `error`, whatever language the phrase will speak (§20.43)."""
    return f'399 switchboard "{error.reason}"'


def _port(via: Via) -> int:
    return _DEFAULT_PORT if via.port is None else via.port


def _same_host(host: str, source: str) -> bool:
    bare = host.strip("[]")
    if bare == source:
        return True
    return (
        _is_address(bare) and _is_address(source) and ip_address(bare) == ip_address(source.partition("%")[0])
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
