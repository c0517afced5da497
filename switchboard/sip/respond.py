"""Responses of our own, and where responses go (RFC 3261 §8.2.6, §18.2.2; RFC 3581 §4)."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, ip_address
from zlib import crc32

from switchboard.sip.address import split_values
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import COMPACT, Header
from switchboard.sip.message import Message
from switchboard.sip.phrases import REASON_PHRASES
from switchboard.sip.splice import complete_via
from switchboard.sip.via import Via

Hop = tuple[str, int]
"""Address (without brackets) and port."""

_DEFAULT_PORT = 5060
_NEVER_ANSWERED = (b"ACK ", b"SIP/")
_READABLE = re.compile(r"^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"\r\n[ \t]+")
_TAG = re.compile(r";\s*tag\s*=", re.IGNORECASE)


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
    line = b"To: " + (request.value(Header.TO) or b"")
    if to_tag and status > 100 and not request.to_tag:
        line += b";tag=" + to_tag.encode()
    return line


def received_via(request: Message, source: Hop) -> bytes:
    """Return the top Via value of `request`, completed with where it came from (§18.2.1, RFC 3581 §4)."""
    start, end = request.top_via_span
    return _complete(request.raw[start:end], request.via, source)


def _complete(value: bytes, via: Via, source: Hop) -> bytes:
    host, port = source
    return complete_via(value, host.encode(), port, not _same_host(via.host, host))


def response_address(request: Message, source: Hop) -> Hop:
    """Return where responses to `request`, which came from `source`, are sent (§18.2.2, RFC 3581 §4).

    `ParseError` if the top Via cannot be answered to.
    """
    return _reply_to(request.via, source)


def _reply_to(via: Via, source: Hop) -> Hop:
    maddr = via.param("maddr") or ""
    host = maddr.strip("[]") if maddr and _is_address(maddr) else ""
    if host and not is_one_peer(host):
        raise ParseError("Via With A Group Address", "Via")
    if via.param("rport") is not None and not host:
        return source
    if via.port == 0:
        raise ParseError("Via With Port 0", "Via")
    return host or source[0], via.port or _DEFAULT_PORT


def reject(raw: bytes, error: ParseError, source: Hop) -> tuple[bytes, Hop] | None:
    """Return the answer to a request that could not be scanned, and where it goes; None if it cannot be told.

    What stands in the readable Via, From, To, Call-ID and CSeq fields is copied (§8.2.6.2, §16.3 step 1).
    Retransmissions get the same To tag (§8.2.7).
    """
    if raw.startswith(_NEVER_ANSWERED):
        return None
    fields = _readable_fields(raw)
    try:
        vias = [value for text in fields["via"] for value in split_values(text)]
        top = Via.parse(vias[0])
        hop = _reply_to(top, source)
    except (KeyError, ParseError):
        return None
    lines = [_bytes(f"SIP/2.0 {error.status} {error.reason}")]
    lines.append(b"Via: " + _complete(_bytes(vias[0]), top, source))
    lines += (b"Via: " + _bytes(via) for via in vias[1:])
    lines += _copied(fields, f"{crc32(raw):08x}")
    lines += (b"Warning: " + _bytes(warning_of(error)), b"Content-Length: 0")
    return b"\r\n".join(lines) + b"\r\n\r\n", hop


def _readable_fields(raw: bytes) -> dict[str, list[str]]:
    """The values of the fields that a response copies, by long name in lower case, as far as they show."""
    head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    fields: dict[str, list[str]] = {}
    for name, value in _READABLE.findall(_FOLD.sub(" ", head)):
        name = name.lower()
        fields.setdefault(COMPACT.get(name, name), []).append(value.strip())
    return fields


def _copied(fields: dict[str, list[str]], to_tag: str) -> Iterator[bytes]:
    for name in ("From", "To", "Call-ID", "CSeq"):
        for value in fields.get(name.lower(), [])[:1]:
            tag = f";tag={to_tag}" if name == "To" and not _TAG.search(value) else ""
            yield _bytes(f"{name}: {value}{tag}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def warning_of(error: ParseError) -> str:
    """Return the Warning value that tells `error`, whatever language the phrase will speak (§20.43)."""
    return f'399 switchboard "{error.reason}"'


def _same_host(host: str, source: str) -> bool:
    bare = host.strip("[]")
    if bare == source:
        return True
    return (
        _is_address(bare) and _is_address(source) and ip_address(bare) == ip_address(source.partition("%")[0])
    )


def is_one_peer(host: str) -> bool:
    """Whether an IP address (without brackets) may be one peer's: no group, not everybody, not nobody."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


try:
    from switchboard.sip._splice import build_response as build_response
except ImportError:
    build_response = build_response_in_python
