"""name-addr and addr-spec with header parameters: From, To, Contact, Route, Path and their kin (§20.10)."""

import re
from typing import NamedTuple

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import (
    GENERIC_PARAM,
    LWS,
    QUOTED_STRING,
    SWS,
    Params,
    check_distinct,
    find_param,
    format_params,
    uncaptured,
)
from switchboard.sip.uri import read_bracketed as read_bracketed

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*+:"
_WORD = r"[A-Za-z0-9\-.!%*_+`'~\x80-\U0010ffff]++"  # a token, and letters that sloppy peers leave unquoted
_DISPLAY = rf"{QUOTED_STRING}|{_WORD}(?:{LWS}{_WORD})*+"
_BRACKETED = rf"<({_SCHEME}[^<>\"\x00-\x20\x7f]++)>"
_BARE = rf"({_SCHEME}[^<>\",;?\x00-\x20\x7f]++)"
_PARAMS = rf"((?:{uncaptured(GENERIC_PARAM)})*+)"
_NAME_ADDR = re.compile(rf"{SWS}(?:(?:({_DISPLAY}){SWS})?{_BRACKETED}|{_BARE}){_PARAMS}{SWS}")
_PARAM = re.compile(GENERIC_PARAM)
_VALUES = re.compile(r"((?:[^\",<]++|\"(?:[^\"\\]|\\.)*+\"|<[^<>]*+>)*+)(,|\Z)", re.DOTALL)


class NameAddr(NamedTuple):
    """One address of a header field. The URI is only checked for having a scheme: parse it to know more."""

    display: str
    """The display name as received, with its quotes; "" if there is none."""
    uri: str
    """The text between the angle brackets; of a bare addr-spec all before the first semicolon."""
    params: Params = ()
    """The header field's parameters, not the URI's: (name in lower case, value; None for a flag)."""

    @classmethod
    def parse(cls, text: str) -> "NameAddr":
        """ParseError if the text is no address. A URI with a comma or question mark must be in brackets."""
        match = _NAME_ADDR.fullmatch(text)
        if match is None:
            raise ParseError("Bad Address")
        display, bracketed, bare, params = match.groups()
        return cls(display or "", bracketed or bare, _parse_params(params) if params else ())

    def __str__(self) -> str:
        display = f"{self.display} " if self.display else ""
        return f"{display}<{self.uri}>{format_params(self.params)}"

    def param(self, name: str) -> str | None:
        """The value of `name` (lower case); "" for a flag, None if absent."""
        return find_param(self.params, name)


def uri_in(text: str) -> str:
    """The URI of an address. ParseError."""
    return read_bracketed(text) or NameAddr.parse(text).uri


def split_values(text: str) -> list[str]:
    """The comma-separated values, trimmed; commas in quoted strings and brackets do not count.

    An empty value stays, as "". ParseError for a quoted string or bracket that is never closed.
    """
    if "," not in text and '"' not in text and "<" not in text:
        return [text.strip()]
    values = []
    position, more = 0, True
    while more:
        match = _VALUES.match(text, position)
        if match is None:
            raise ParseError("Unterminated Quoted String or Angle Bracket")
        values.append(match[1].strip())
        position, more = match.end(), match[2] == ","
    return values


def _parse_params(text: str) -> Params:
    found = _PARAM.findall(text)
    return check_distinct(tuple([(name.lower(), value or None) for name, value in found]), "")
