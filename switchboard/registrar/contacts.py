"""What a REGISTER asks for: its Contact and Expires header fields (RFC 3261 §10.2, §20.10, §20.19)."""

import re
from functools import lru_cache
from typing import NamedTuple

from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import split_params
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri, is_sip

MALFORMED_EXPIRES = 3600
"""The meaning of an expiry that is not a number (§20.10)."""
_STAR = re.compile(r"(?:\*|<\*>)\s*(?:;\s*expires\s*=\s*([^;]*))?", re.IGNORECASE)
"""All contacts; some user agents write brackets and parameters, as with any other."""
_LONGEST_DIGITS = 20
_CACHED_LENGTH = 256  # longer texts are parsed afresh, which bounds the cache's memory
_LARGEST_EXPIRES = 2**32 - 1
_Q = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")
_CLEAN = re.compile(
    r'(?>(?:[^"\x00-\x08\x0a-\x1f\x7f]++|"(?>(?:[^"\\\x00-\x08\x0a-\x1f\x7f]++|\\[^\x00-\x1f\x7f])*)")*)'
)
"""Parameters that break nothing where they are written into a list: no open quote, no control character."""


class RequestedContact(NamedTuple):
    """One contact to add, refresh or (`expires` 0) remove."""

    uri: str
    q: float
    expires: int | None
    """Seconds asked for, by parameter or else by the Expires header field; None: left to the registrar."""
    params: str
    """All parameters but `expires`, as received."""


def requested_contacts(request: Message) -> list[RequestedContact]:
    """The contacts of `request` in order, none if it is a query; ParseError blames Contact."""
    default = parse_expires(request.get(Header.EXPIRES))
    return [_parse_contact(value, default) for value in _contact_values(request)]


def removes_all(request: Message) -> bool:
    """Whether the request is to remove all bindings (`Contact: *`).

    ParseError if there are other contacts too or no `Expires: 0` (§10.3 step 6).
    """
    if b"*" not in request.raw:
        return False
    values = _contact_values(request)
    stars = [star for value in values if (star := _STAR.fullmatch(value))]
    if not stars:
        return False
    if len(values) > 1:
        raise ParseError("Contact * Is Not Alone", "Contact")
    if parse_expires(stars[0][1] or request.get(Header.EXPIRES)) != 0:
        raise ParseError("Contact * Without Expires 0", "Expires")
    return True


def parse_expires(text: str | None) -> int | None:
    """Seconds, at most 2**32-1; quotes do not count. None if there is no text."""
    text = (text or "").strip('" ')
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        return MALFORMED_EXPIRES
    return min(int(text), _LARGEST_EXPIRES) if len(text) <= _LONGEST_DIGITS else _LARGEST_EXPIRES


def _contact_values(request: Message) -> list[str]:
    """The values; a value that is not a URI is the part before a comma of a display name without quotes."""
    values: list[str] = []
    begun = ""
    for value in request.values(Header.CONTACT):
        if ":" in value or _STAR.fullmatch(value):
            values.append(begun + value)
            begun = ""
        else:
            begun += f"{value}, "
    return [*values, begun] if begun else values


def _parse_contact(text: str, default: int | None) -> RequestedContact:
    """A phone registers the same contact again and again."""
    return _parse_cached(text, default) if len(text) <= _CACHED_LENGTH else _parse(text, default)


@lru_cache(maxsize=4096)
def _parse_cached(text: str, default: int | None) -> RequestedContact:
    return _parse(text, default)


def _parse(text: str, default: int | None) -> RequestedContact:
    try:
        address = NameAddr.parse(text)
        if is_sip(address.uri):
            SipUri.parse(address.uri)
    except ParseError as error:
        raise _malformed() from error
    params = _params_of(text, address)
    if not _CLEAN.fullmatch(params):
        raise _malformed()
    expires = parse_expires(address.param("expires"))
    return RequestedContact(address.uri, _read_q(address), default if expires is None else expires, params)


def _params_of(text: str, address: NameAddr) -> str:
    """The parameters but `expires`, as they came."""
    behind = text[text.index(address.uri) + len(address.uri) :].partition(";")[2]
    pieces = split_params(";" + behind)
    kept = [piece for piece in pieces if piece.partition("=")[0].rstrip().lower() != "expires"]
    return "".join(f";{piece}" for piece in kept)


def _read_q(address: NameAddr) -> float:
    """The value, at most 1; 1 if it is not a number."""
    text = (address.param("q") or "").strip('"')
    return min(float(text), 1.0) if _Q.fullmatch(text) else 1.0


def _malformed() -> ParseError:
    return ParseError("Malformed Contact", "Contact")
