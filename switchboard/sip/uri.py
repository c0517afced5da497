"""SIP and SIPS URIs and their equivalence (RFC 3261 §19.1)."""

import re
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import unquote

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import (
    HEADER_NAME,
    HEADER_VALUE,
    HOST,
    PARAM_TEXT,
    PASSWORD,
    PORT,
    USER,
    Params,
    check_distinct,
    check_host,
    find_param,
    format_params,
    parse_port,
)

try:
    from switchboard.sip._uri import read_bracketed as read_bracketed
    from switchboard.sip._uri import read_uri as read_uri
except ImportError:

    def _read_nothing(text: str) -> None:
        """Leave it to the reference."""

    read_bracketed = read_uri = _read_nothing

_HEADER = rf"{HEADER_NAME}={HEADER_VALUE}"
_URI = re.compile(
    rf"([Ss][Ii][Pp][Ss]?):(?:({USER})(?::({PASSWORD}))?@)?({HOST})(?::({PORT}))?"
    rf"((?:;{PARAM_TEXT}(?:={PARAM_TEXT})?)*+)(?:\?({_HEADER}(?:&{_HEADER})*+))?"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):[^\x00-\x20<>\"\x7f]")
_SIP_SCHEME = re.compile(r"[Ss][Ii][Pp][Ss]?:")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_KEEP_ESCAPED = frozenset(';/?:@&=+$,%"<>#{}|\\^[]`')
_NEVER_DEFAULT = frozenset(("user", "ttl", "method", "maddr", "transport"))
_CACHED_LENGTH = 256  # longer texts are parsed afresh, which bounds the cache's memory
_MOST_KNOWN = 4096
_PARTS = ("scheme", "user", "password", "host", "port", "params", "headers")
_known: "dict[str, SipUri]" = {}


class SipUri:
    """A SIP URI; the text of each component is as received, still escaped, but for the case noted.

    `scheme`: `sip` or `sips`, lower case. `host`: lower case; an IPv6 address keeps its brackets. `params`:
    (name in lower case, value; None for a flag) in order. `headers`: what follows the question mark.
    `username`: the user part unescaped, "" if there is none; one whose bytes are no UTF-8 stays escaped.
    """

    __slots__ = (
        "_address_of_record", "headers", "host", "params", "password", "port", "scheme", "user", "username",
    )  # fmt: skip

    def __init__(
        self,
        scheme: str,
        user: str | None,
        password: str | None,
        host: str,
        port: int | None,
        params: Params = (),
        headers: str = "",
    ) -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params = params
        self.headers = headers
        self.username = _unescaped(user) if user is not None and "%" in user else user or ""
        self._address_of_record: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SipUri) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"SipUri({str(self)!r})"

    @classmethod
    def parse(cls, text: str) -> "SipUri":
        """ParseError: status 416 for a URI of another scheme, 400 for what is no URI."""
        return parse_uri(text)

    def __str__(self) -> str:
        password = "" if self.password is None else f":{self.password}"
        userinfo = "" if self.user is None else f"{self.user}{password}@"
        port = "" if self.port is None else f":{self.port}"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{userinfo}{self.host}{port}{format_params(self.params)}{headers}"

    def param(self, name: str) -> str | None:
        """The value of `name` (lower case); "" for a flag, None if absent."""
        return find_param(self.params, name) if self.params else None

    def without_params(self, *names: str) -> "SipUri":
        return self.replace(params=tuple([param for param in self.params if param[0] not in names]))

    def replace(self, **parts: Any) -> "SipUri":
        """The same with other `parts`."""
        return SipUri(**({name: getattr(self, name) for name in _PARTS} | parts))

    @property
    def address_of_record(self) -> str:
        """The URI without password, parameters and headers."""
        if self._address_of_record is None:
            self._address_of_record = str(self.replace(password=None, params=(), headers=""))
        return self._address_of_record

    @property
    def address(self) -> str:
        """The host without the brackets of an IPv6 reference."""
        return self.host[1:-1] if self.host[0] == "[" else self.host

    def equivalent(self, other: "SipUri") -> bool:
        """Whether both name the same resource by the rules of RFC 3261 §19.1.4."""
        return (
            self.scheme == other.scheme
            and self.port == other.port
            and _normalize(self.user or "") == _normalize(other.user or "")
            and _normalize(self.password or "") == _normalize(other.password or "")
            and _same_host(self.host, other.host)
            and _same_params(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )


def is_sip(text: str) -> bool:
    """Whether the text claims to be a SIP or SIPS URI."""
    return _SIP_SCHEME.match(text) is not None


def parse_uri(text: str) -> SipUri:
    """The same as `SipUri.parse`."""
    uri = _known.get(text)
    return _learn(text) if uri is None else uri


def _learn(text: str) -> SipUri:
    uri = read_uri(text) or parse_uri_in_python(text)
    if len(text) <= _CACHED_LENGTH:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[text] = uri
    return uri


def parse_uri_in_python(text: str) -> SipUri:
    match = _URI.fullmatch(text)
    if match is None:
        raise _refusal(text)
    scheme, user, password, host, port, params, headers = match.groups()
    if not check_host(host):
        raise ParseError("Bad URI")
    parsed = _parse_params(params) if params else ()
    return SipUri(scheme.lower(), user, password, host.lower(), parse_port(port, ""), parsed, headers or "")


def _refusal(text: str) -> ParseError:
    scheme = _SCHEME.match(text)
    if scheme is None or is_sip(text):
        return ParseError("Bad URI")
    return ParseError("Unsupported URI Scheme", status=416)


def _parse_params(text: str) -> Params:
    pairs = [param.partition("=") for param in text[1:].split(";")]
    return check_distinct(tuple([(name.lower(), value or None) for name, _, value in pairs]), "")


def _unescaped(user: str) -> str:
    try:
        return unquote(user, errors="strict")
    except UnicodeDecodeError:
        return _normalize(user)


def _normalize(text: str) -> str:
    """An escape of an unreserved character means that character; other escapes get one spelling."""
    return _ESCAPE.sub(_unescape, text) if "%" in text else text


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return match[0].upper() if not "!" <= character <= "~" or character in _KEEP_ESCAPED else character


def _same_host(one: str, other: str) -> bool:
    if one == other or one[0] != "[" or other[0] != "[":
        return one == other
    return IPv6Address(one[1:-1].replace(":::", "::")) == IPv6Address(other[1:-1].replace(":::", "::"))


def _same_params(one: Params, other: Params) -> bool:
    ours, theirs = _param_map(one), _param_map(other)
    if any(name in _NEVER_DEFAULT for name in ours.keys() ^ theirs.keys()):
        return False
    return all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys())


def _param_map(params: Params) -> dict[str, str]:
    return {_folded(name): _folded(value or "") for name, value in params}


def _header_set(headers: str) -> list[tuple[str, str]]:
    pairs = (header.partition("=") for header in headers.split("&"))
    return sorted((_folded(name), _normalize(value)) for name, _, value in pairs)


def _folded(text: str) -> str:
    return _normalize(text).lower()
