"""What a REGISTER asks for: its Contact and Expires header fields (RFC 3261 §10.2, §20.10, §20.19)."""

import re
from functools import lru_cache
from typing import NamedTuple

from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import format_params
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri, is_sip

MALFORMED_EXPIRES = 3600
"""What an expiry that is no number means (§20.10)."""
_LONGEST_DIGITS = 20
_CACHED_LENGTH = 256  # longer texts are parsed afresh, which bounds the cache's memory
_LARGEST_EXPIRES = 2**32 - 1
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


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
    if "*" not in values:
        return False
    if len(values) > 1:
        raise ParseError("Contact * Is Not Alone", "Contact")
    if parse_expires(request.get(Header.EXPIRES)) != 0:
        raise ParseError("Contact * Without Expires 0", "Expires")
    return True


def parse_expires(text: str | None) -> int | None:
    """Seconds, at most 2**32-1; None if there is no text."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        return MALFORMED_EXPIRES
    return min(int(text), _LARGEST_EXPIRES) if len(text) <= _LONGEST_DIGITS else _LARGEST_EXPIRES


def _contact_values(request: Message) -> list[str]:
    try:
        return request.values(Header.CONTACT)
    except ParseError as error:
        raise _malformed() from error


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
        text.encode()
    except (ParseError, UnicodeEncodeError) as error:
        raise _malformed() from error
    expires = parse_expires(address.param("expires"))
    params = tuple(param for param in address.params if param[0] != "expires")
    asked = default if expires is None else expires
    return RequestedContact(address.uri, _parse_q(address), asked, format_params(params))


def _parse_q(address: NameAddr) -> float:
    text = address.param("q")
    if text is None:
        return 1.0
    if not _Q.fullmatch(text):
        raise ParseError("Malformed q Value In Contact", "Contact")
    return float(text)


def _malformed() -> ParseError:
    return ParseError("Malformed Contact", "Contact")
