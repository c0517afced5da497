"""Regex fragments named as in RFC 3261 §25.1, and the few rules a regular expression cannot say well.

Everything here is for `re` on text (`str`); repetitions are possessive, so no input makes them backtrack.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from switchboard.sip.errors import ParseError

Params = tuple[tuple[str, str | None], ...]

SWS = r"[ \t\r\n]*+"
LWS = r"[ \t\r\n]++"
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
QUOTED_STRING = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\r\n])*+"'

UNRESERVED = r"A-Za-z0-9\-_.!~*'()"  # the inside of a character class
ESCAPED = r"%[0-9A-Fa-f]{2}"


def escapable(characters: str, repeat: str = "+") -> str:
    """A possessive run (`repeat`: "+" or "*") of `characters` (the inside of a class) and of escapes."""
    return rf"(?:[{characters}]++|{ESCAPED}){repeat}+"


USER = escapable(UNRESERVED + "&=+$,;?/")
PASSWORD = escapable(UNRESERVED + "&=+$,", "*")
PARAM_TEXT = escapable(UNRESERVED + r"\[\]/:&+$")
HEADER_NAME = escapable(UNRESERVED + r"\[\]/?:+$")
HEADER_VALUE = escapable(UNRESERVED + r"\[\]/?:+$", "*")
_LABEL = r"[A-Za-z0-9_]++(?:-++[A-Za-z0-9_]++)*+"
HOSTNAME = rf"{_LABEL}(?:\.{_LABEL})*+\.?"
IPV6_REFERENCE = r"\[[0-9A-Fa-f:.]++\]"
HOST = rf"(?:{HOSTNAME}|{IPV6_REFERENCE})"
PORT = r"(?:0*+[1-9][0-9]{0,4}|0++)"

GENERIC_VALUE = rf"(?:{TOKEN}|{QUOTED_STRING}|{IPV6_REFERENCE})"
GENERIC_PARAM = rf"{SWS};{SWS}({TOKEN})(?:{SWS}={SWS}({GENERIC_VALUE}))?"

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_LONGEST_HOST = 255  # octets of a domain name (RFC 1035 §2.3.4)


def uncaptured(pattern: str) -> str:
    """The same pattern with its plain groups made non-capturing, for use inside a repetition."""
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)


def check_host(host: str) -> bool:
    """Whether text that matched `HOST` is one: IPv6 well formed, a last label of digits only in IPv4.

    `:::` passes for `::` (RFC 5118 §4.10); labels may begin with a digit (RFC 1123) or hold an underscore.
    """
    return len(host) <= _LONGEST_HOST and _check_host_cached(host)


@lru_cache(maxsize=1024)
def _check_host_cached(host: str) -> bool:
    if host[0] == "[":
        return _is_ipv6(host[1:-1].replace(":::", "::"))
    last_label = host.rstrip(".").rpartition(".")[2]
    return not last_label.isdecimal() or _IPV4.fullmatch(host) is not None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def parse_port(text: str | None, header: str) -> int | None:
    """The port that matched `PORT`, None if there is none. ParseError above 65535."""
    if text is None:
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > 5 or int(digits) > 65535:
        raise ParseError("Port Out of Range", header)
    return int(digits)


def check_distinct(params: Params, header: str) -> Params:
    """`params` as they are; ParseError if a name appears twice (RFC 3261 §7.3.1)."""
    if len(params) > 1 and len({name for name, _ in params}) < len(params):
        raise ParseError("Duplicate Parameter", header)
    return params


def find_param(params: Params, name: str) -> str | None:
    """The value of parameter `name` (lower case): "" for a flag without a value, None if absent."""
    for key, value in params:
        if key == name:
            return "" if value is None else value
    return None


def format_params(params: Params) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)
