"""Regex fragments named as in RFC 3261 §25.1, and the few rules a regular expression cannot say well.

Everything here is for `re` on text (`str`); repetitions are possessive, so no input makes them backtrack. Repeated
groups are atomic ones, `(?>(?:…)*)`. For in Python 3.11 before 3.11.5 (Debian 12 has 3.11.2) `*+` behind a group goes
on from the wrong place if a repetition has failed half way (python/cpython#106052).
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

Params = tuple[tuple[str, str | None], ...]

SWS = r"[ \t\r\n]*+"
LWS = r"[ \t\r\n]++"
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
QUOTED_STRING = r'"(?>(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\r\n])*)"'

_LABEL = r"[A-Za-z0-9_]++(?>(?:-++[A-Za-z0-9_]++)*)"
HOSTNAME = rf"{_LABEL}(?>(?:\.{_LABEL})*)\.?"
IPV6_REFERENCE = r"\[[0-9A-Fa-f:.]++\]"
HOST = rf"(?:{HOSTNAME}|{IPV6_REFERENCE})"
_PLACE = re.compile(rf"({HOST})(?:{SWS}:{SWS}([0-9]*+))?")
_NO_PORT = -1

_PARAM_PIECE = re.compile(r'[^;=]*+(?:=[ \t\r\n]*+(?>(?:"(?>(?:[^"\\]++|\\.)*)")?)[^;]*+)?', re.DOTALL)
"""What stands between two semicolons; a quoted string behind the equals sign may hold more of them."""
_BLANKS = " \t\r\n"

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_LONGEST_HOST = 255  # octets of a domain name (RFC 1035 §2.3.4)


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


class HostPort(NamedTuple):
    """`host` or `host:port` as it stands in a URI or in Via's sent-by.

    `is_host`: whether `host`, in lower case, is a host name or an address; else it is some text.
    """

    host: str
    port: int | None
    is_host: bool


def read_host_port(text: str) -> HostPort:
    """Read host and port of any text; a port that is not a number, or out of range, counts as text."""
    match = _PLACE.fullmatch(text)
    if match and check_host(match[1]) and (port := _port(match[2])) != _NO_PORT:
        return HostPort(match[1].lower(), port, True)
    host, colon, digits = text.rpartition(":")
    host = host.rstrip(_BLANKS)
    if colon and (":" not in host or host[-1] == "]") and (port := _port(digits.strip(_BLANKS))) != _NO_PORT:
        return HostPort(host.lower(), port, False)
    return HostPort(text.lower(), None, False)


def _port(text: str | None) -> int | None:
    """The number, None for no text, _NO_PORT for an invalid port."""
    if not text:
        return None
    digits = text.lstrip("0") or "0"
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 5 or int(digits) > 65535:
        return _NO_PORT
    return int(digits)


def split_params(text: str) -> list[str]:
    """What stands between the semicolons of a list of parameters, trimmed; nothing for what is empty."""
    pieces = _PARAM_PIECE.findall(text) if '"' in text else text.split(";")
    return [piece for each in pieces if (piece := each.strip(_BLANKS))]


def read_params(text: str) -> Params:
    """The parameters in `;name=value;flag`, as liberal as a proxy may be: values are octets that travel.

    Names that appear twice stay: the first counts. What has no name is left out.
    """
    found = []
    for piece in split_params(text):
        name, _, value = piece.partition("=")
        if name := name.rstrip(_BLANKS):
            found.append((name.lower(), value.lstrip(_BLANKS) or None))
    return tuple(found)


def find_param(params: Params, name: str) -> str | None:
    """The value of parameter `name` (lower case): "" for a flag without a value, None if absent."""
    for key, value in params:
        if key == name:
            return "" if value is None else value
    return None


def format_params(params: Params) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)
