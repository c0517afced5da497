"""Responses of our own, and where responses go (RFC 3261 §8.2.6, §18.2.2; RFC 3581 §4)."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.phrases import REASON_PHRASES
from switchboard.sip.splice import complete_via
from switchboard.sip.translation import address_of
from switchboard.sip.via import Via

Hop = tuple[str, int]
"""Address (without brackets) and port."""

_DEFAULT_PORT = 5060


def build_response_in_python(
    request: Message,
    status: int,
    reason: str = "",
    to_tag: str = "",
    headers: Sequence[tuple[str, str]] = (),
    top_via: bytes | None = None,
) -> bytes:
    """Return a response of our own to `request`.

    Via, From, To, Call-ID and CSeq are copied, `to_tag` is added where To has none (never to a 100).
    `top_via`: what takes the place of the top Via value, as `received_via` makes it. `reason`: "" for the
    standard phrase.
    """
    lines = [b"SIP/2.0 %d " % status + (reason or REASON_PHRASES[status]).encode()]
    lines += _vias(request, top_via)
    lines += (b"From: " + (request.value(Header.FROM) or b""), _to_line(request, status, to_tag))
    lines += (
        b"Call-ID: " + (request.value(Header.CALL_ID) or b""),
        b"CSeq: " + (request.value(Header.CSEQ) or b""),
    )
    if status == 100 and (timestamp := request.value(Header.TIMESTAMP)):
        lines.append(b"Timestamp: " + timestamp)
    lines += [_bytes(f"{name}: {value}") for name, value in headers]
    lines.append(b"Content-Length: 0")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _vias(request: Message, top_via: bytes | None) -> list[bytes]:
    raw, spans = request.raw, request.lines(Header.VIA)
    lines = [raw[start : end - 2] for start, end in spans]
    if top_via is not None:
        (line_start, line_end), (start, end) = spans[0], request.top_via_span
        lines[0] = raw[line_start:start] + top_via + raw[end : line_end - 2]
    return lines


def _to_line(request: Message, status: int, to_tag: str) -> bytes:
    to = request.value(Header.TO) or b""
    if to_tag and status > 100 and not request.to_tag:
        to = _without_empty_tag(to) + b";tag=" + to_tag.encode()
    return b"To: " + to


def _without_empty_tag(to: bytes) -> bytes:
    """Return To without empty parameters at its end, such as a tag without a value: one tag is enough."""
    to = to.rstrip(b"; \t")
    before, _, last = to.rpartition(b";")
    return before.rstrip(b"; \t") if last.replace(b" ", b"").lower() == b"tag=" else to


def received_via(request: Message, source: Hop) -> bytes:
    """Return the top Via value of `request`, completed with where it came from (§18.2.1, RFC 3581 §4)."""
    start, end = request.top_via_span
    return complete_value(request.raw[start:end], request.via, source)


def complete_value(value: bytes, via: Via, source: Hop) -> bytes:
    """The same of the Via `value`, which is `via`."""
    host, port = source
    return complete_via(value, host.encode(), port, not is_same_host(via.host, host))


def response_address(request: Message, source: Hop) -> Hop:
    """Return where responses to `request`, which came from `source`, are sent (§18.2.2, RFC 3581 §4).

    `ParseError` if the top Via cannot be answered to.
    """
    return reply_to(request.via, source)


def reply_to(via: Via, source: Hop) -> Hop:
    """The same of the top `via`. It is always the sender's address: no maddr is obeyed (docs/SECURITY.md)."""
    maddr = via.param("maddr") or ""
    if maddr and address_of(maddr) is not None and not is_one_peer(maddr.strip("[]")):
        raise ParseError("Via With A Group Address", "Via")
    if via.param("rport") is not None:
        return source
    if via.port == 0:
        raise ParseError("Via With Port 0", "Via")
    return source[0], via.port or _DEFAULT_PORT


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def warning_of(error: ParseError) -> str:
    """Return the Warning value that tells `error`, whatever language the phrase will speak (§20.43)."""
    return f'399 switchboard "{error.reason}"'


def is_same_host(host: str, source: str) -> bool:
    """Whether the host in a Via is the address that the datagram came from."""
    if host.strip("[]") == source:
        return True
    named = address_of(host)
    return named is not None and named == address_of(source)


def is_one_peer(host: str) -> bool:
    """Whether an IP address (without brackets) may be one peer's: no group, not everybody, not nobody."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")


try:
    from switchboard._native.wire import build_response as build_response
except ImportError:
    build_response = build_response_in_python
