"""name-addr and addr-spec with header parameters: From, To, Contact, Route, Path and their kin (§20.10)."""

import re
from typing import NamedTuple

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import LWS, SWS, Params, find_param, format_params, read_params
from switchboard.sip.uri import read_bracketed as read_bracketed

_BLANKS = " \t\r\n"
_CONTROLS = r"\x00-\x08\x0a-\x1f\x7f"
_QUOTED = rf'"(?>(?:[^"\\{_CONTROLS}]++|\\[^\r\n])*)"'
_URI = r"[A-Za-z][A-Za-z0-9+.\-]*+:[^<>\x00-\x20\x7f]++"
_DISPLAY = rf'(?>(?:[^<>"{_CONTROLS}]++|[\r\n]++|{_QUOTED})*)'
_NAME_ADDR = re.compile(rf"({_DISPLAY})<{SWS}({_URI}){SWS}>{SWS}(;.*+)?", re.DOTALL)
_WORD = r'[^:;,<>"\x00-\x20\x7f]++'
_BARE_URI = r"[A-Za-z][A-Za-z0-9+.\-]*+:[^;<>\"\x00-\x20\x7f]++"
_ADDR_SPEC = re.compile(rf"{SWS}((?>(?:{_QUOTED}{SWS}|{_WORD}{LWS})*))({_BARE_URI}){SWS}(;.*+)?", re.DOTALL)
_VALUES = re.compile(r"((?>(?:[^\",<]++|\"(?>(?:[^\"\\]|\\.)*)\"|<[^<>]*+>)*))(,|\Z)", re.DOTALL)


class NameAddr(NamedTuple):
    """One address of a header field. The URI is only checked for having a scheme: parse it to know more."""

    display: str
    """The display name as received, with its quotes; "" if there is none."""
    uri: str
    """What is in the angle brackets; of a bare addr-spec all before the first semicolon."""
    params: Params = ()
    """The header field's parameters, not the URI's: (name in lower case, value; None for a flag)."""

    @classmethod
    def parse(cls, text: str) -> "NameAddr":
        """Read one address, as liberal as a proxy may be: display name and parameters only travel.

        ParseError if there is no URI, or if a quote that is never closed or a control character comes before.
        """
        match = _ADDR_SPEC.fullmatch(text) or _NAME_ADDR.fullmatch(text)
        if match is None:
            raise ParseError("Bad Address")
        display, uri, params = match.groups()
        return cls(display.strip(_BLANKS), uri, read_params(params) if params else ())

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

    An empty value stays, as "". A quoted string or bracket that is never closed makes the rest one value.
    """
    if "," not in text:
        return [text.strip(_BLANKS)]
    values: list[str] = []
    position, more = 0, True
    while more:
        match = _VALUES.match(text, position)
        if match is None:
            return [*values, text[position:].strip(_BLANKS)]
        values.append(match[1].strip(_BLANKS))
        position, more = match.end(), match[2] == ","
    return values
