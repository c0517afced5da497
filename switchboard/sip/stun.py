"""STUN at the SIP port (RFC 5626 §4.4.2, §8; RFC 8489): a Binding request is answered with where it came from.

A phone that sends one every 25 s or so keeps its path through an address translator open, and sees when the translator
gives it another address. Nothing else of STUN is here: no credentials, no fingerprint, no alternate server.

Theory. The source of a datagram can be forged, so an answer must be hardly larger than its request. It has at most 24
octets more, whatever came: the header and one attribute.
"""

from ipaddress import ip_address
from typing import Final

HEADER_BYTES: Final = 20
COOKIE: Final = b"\x21\x12\xa4\x42"
MOST_ADDED: Final = 24
"""Octets that an answer may have beyond its request."""

_BINDING_REQUEST: Final = b"\0\1"
_BINDING_SUCCESS: Final = b"\1\1"
_BINDING_ERROR: Final = b"\1\x11"
_MAPPED_ADDRESS: Final = b"\0\1"
_ERROR_CODE: Final = b"\0\x09"
_UNKNOWN_ATTRIBUTES: Final = b"\0\x0a"
_XOR_MAPPED_ADDRESS: Final = b"\0\x20"
_UNKNOWN_ATTRIBUTE: Final = b"\0\0\x04\x14"  # 420 (§14.8)
_FAMILIES: Final = {4: b"\0\1", 16: b"\0\2"}
_OPTIONAL: Final = 0x8000
_UNDERSTOOD: Final = frozenset((0x0001, 0x0006, 0x0008, 0x0014, 0x0015, 0x0024, 0x0025))
"""MAPPED-ADDRESS, what belongs to credentials, PRIORITY, USE-CANDIDATE: nothing of it changes the answer."""
_OF_OLD: Final = frozenset((0x0002, 0x0003, 0x0007))
"""RESPONSE-ADDRESS, CHANGE-REQUEST, PASSWORD (RFC 3489): obeyed by nobody, and no reason to say nothing."""


def answer_to(request: bytes, host: str, port: int) -> bytes | None:
    """Return the answer to a STUN message (untrusted) from there; None if it gets none: it is no Binding request."""
    if request[:2] != _BINDING_REQUEST or len(request) < HEADER_BYTES:
        return None
    kinds = _attributes(request)
    packed = ip_address(host.partition("%")[0]).packed
    if kinds is None:
        return None
    if request[4:8] != COOKIE:  # RFC 3489, which knows no other form (RFC 5389 §12.2)
        return _message(_BINDING_SUCCESS, request, _address(_MAPPED_ADDRESS, port.to_bytes(2, "big"), packed))
    if unknown := [kind for kind in kinds if kind < _OPTIONAL and kind not in _UNDERSTOOD | _OF_OLD]:
        return _message(_BINDING_ERROR, request, _refusal(unknown[0]))
    mask = request[4:HEADER_BYTES]
    seen = _address(_XOR_MAPPED_ADDRESS, _masked(port.to_bytes(2, "big"), mask), _masked(packed, mask))
    return _message(_BINDING_SUCCESS, request, seen)


def _attributes(request: bytes) -> list[int] | None:
    """The kinds of its attributes; None if they are not what the header says."""
    if int.from_bytes(request[2:4], "big") != len(request) - HEADER_BYTES:
        return None
    kinds, at = [], HEADER_BYTES
    while at < len(request):
        kind, size = request[at : at + 2], int.from_bytes(request[at + 2 : at + 4], "big")
        at += 4 + size + -size % 4
        kinds.append(int.from_bytes(kind, "big"))
    return kinds if at == len(request) else None


def _message(kind: bytes, request: bytes, attributes: bytes) -> bytes:
    return kind + len(attributes).to_bytes(2, "big") + request[4:HEADER_BYTES] + attributes


def _address(kind: bytes, port: bytes, packed: bytes) -> bytes:
    return kind + (4 + len(packed)).to_bytes(2, "big") + _FAMILIES[len(packed)] + port + packed


def _refusal(unknown: int) -> bytes:
    """420, and the first attribute that is not understood."""
    named = _UNKNOWN_ATTRIBUTES + b"\0\2" + unknown.to_bytes(2, "big") + b"\0\0"
    return _ERROR_CODE + b"\0\4" + _UNKNOWN_ATTRIBUTE + named


def _masked(octets: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(octets, mask, strict=False))
