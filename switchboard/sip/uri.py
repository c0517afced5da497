"""SIP and SIPS URIs and their equivalence (RFC 3261 §19.1)."""

import re
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import unquote_to_bytes

from switchboard.bounded import Cache
from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import HOST, HostPort, Params, find_param, format_params, read_host_port

try:
    from switchboard._native.wire import read_bracketed as read_bracketed
    from switchboard._native.wire import read_uri as read_uri
except ImportError:

    def _read_nothing(text: str) -> None:
        """Leave it to the reference."""

    read_bracketed = read_uri = _read_nothing

_URI = re.compile(r"([Ss][Ii][Pp][Ss]?):([^\x00-\x20<>\x7f]++)")
_HOST_PORT = re.compile(rf"{HOST}(?::[0-9]*+)?(?=[;?]|\Z)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):[^\x00-\x20<>\"\x7f]")
_SIP_SCHEME = re.compile(r"[Ss][Ii][Pp][Ss]?:")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNWRITTEN = re.compile(r"[^\x00-\x7f]")
_KEEP_ESCAPED = frozenset(';/?:@&=+$,%"<>#{}|\\^[]`')
_NEVER_DEFAULT = frozenset(("user", "ttl", "method", "maddr", "transport"))
_CACHED_LENGTH = 256  # longer texts are parsed afresh, which bounds the cache's memory
_MOST_KNOWN = 4096
_PARTS = ("scheme", "user", "password", "host", "port", "params", "headers", "has_host")
_known: "Cache[str, SipUri]" = Cache(_MOST_KNOWN)


class SipUri:
    """A SIP URI; the text of each component is as received, still escaped, but for the case noted.

    `scheme`: `sip` or `sips`, lower case. `host`: lower case; an IPv6 address keeps its brackets. `params`:
    (name in lower case, value; None for a flag) in order. `headers`: what follows the question mark.
    `username`: the user part unescaped, "" if there is none; one whose bytes are not UTF-8 stays escaped.
    `has_host`: whether `host` is a host name or an address. What else may stand there is carried, but it is
    nobody's and leads nowhere. As text a URI that was parsed is what was parsed.
    """

    __slots__ = (
        "_address_of_record", "_text", "has_host", "headers", "host", "params", "password", "port", "scheme",
        "user", "username",
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
        has_host: bool = True,
    ) -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params = params
        self.headers = headers
        self.has_host = has_host
        self.username = user or ""
        if "%" in self.username or not self.username.isascii():
            self.username = _unescaped(self.username)
        self._address_of_record: str | None = None
        self._text: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SipUri) and self._format() == other._format()

    def __hash__(self) -> int:
        return hash(self._format())

    def __repr__(self) -> str:
        return f"SipUri({str(self)!r})"

    @classmethod
    def parse(cls, text: str) -> "SipUri":
        """ParseError: status 416 for a URI of another scheme, 400 for other text."""
        return parse_uri(text)

    def __str__(self) -> str:
        return self._format() if self._text is None else self._text

    def _format(self) -> str:
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
        return self.host[1:-1] if self.host[:1] == "[" else self.host

    def equivalent(self, other: "SipUri") -> bool:
        """Whether both name the same resource by the rules of RFC 3261 §19.1.4."""
        return (
            self.scheme == other.scheme
            and self.port == other.port
            and _normalize(self.user or "") == _normalize(other.user or "")
            and _normalize(self.password or "") == _normalize(other.password or "")
            and (self.host == other.host or (self.has_host and other.has_host and _same_host(self, other)))
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
    parts = read_uri(text)
    uri = SipUri(*parts) if parts else parse_uri_in_python(text)
    uri._text = text
    if len(text) <= _CACHED_LENGTH:
        _known.keep(text, uri)
    return uri


def parse_uri_in_python(text: str) -> SipUri:
    """The same, for every spelling; the host is behind the first `@` that a host can stand behind."""
    match = _URI.fullmatch(text)
    if match is None:
        raise _refusal(text)
    scheme, rest = match.groups()
    start, end, (host, port, is_host) = _find_host(rest)
    user, password = _parse_userinfo(rest[: start - 1]) if start else (None, None)
    params, _, headers = rest[end:].partition("?")
    return SipUri(scheme.lower(), user, password, host, port, _parse_params(params), headers, is_host)


def _find_host(rest: str) -> tuple[int, int, HostPort]:
    """Where host and port start and end in what follows the scheme, and what they are."""
    at = rest.find("@")
    first = at + 1
    while at >= 0:
        if place := _place_at(rest, at + 1):
            return place
        at = rest.find("@", at + 1)
    if place := _place_at(rest, 0):
        return place
    ends = [end for mark in ";?" if (end := rest.find(mark, first)) >= 0]
    end = min(ends, default=len(rest))
    return first, end, read_host_port(rest[first:end])


def _place_at(rest: str, start: int) -> tuple[int, int, HostPort] | None:
    """The same for what starts there, if it is a host."""
    match = _HOST_PORT.match(rest, start)
    if match is None:
        return None
    place = read_host_port(match[0])
    return (*match.span(), place) if place.is_host else None


def _parse_userinfo(text: str) -> tuple[str, str | None]:
    user, colon, password = text.partition(":")
    return user, password if colon else None


def format_host_port(uri: SipUri) -> str:
    """The host, and the port if the URI names one."""
    return uri.host if uri.port is None else f"{uri.host}:{uri.port}"


def _refusal(text: str) -> ParseError:
    scheme = _SCHEME.match(text)
    if scheme is None or is_sip(text):
        return ParseError("Bad URI")
    return ParseError("Unsupported URI Scheme", status=416)


def _parse_params(text: str) -> Params:
    """Those that have a name; of two with the same name the first counts."""
    pairs = [param.partition("=") for param in text.split(";")]
    return tuple([(name.lower(), value or None) for name, _, value in pairs if name])


def _unescaped(user: str) -> str:
    octets = unquote_to_bytes(user.encode("utf-8", "surrogateescape"))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return _normalize(_UNWRITTEN.sub(_escape, user))


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "surrogateescape"))


def _normalize(text: str) -> str:
    """An escape of an unreserved character means that character; other escapes get one spelling."""
    return _ESCAPE.sub(_unescape, text) if "%" in text else text


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return match[0].upper() if not "!" <= character <= "~" or character in _KEEP_ESCAPED else character


def _same_host(one: SipUri, other: SipUri) -> bool:
    if one.host[0] != "[" or other.host[0] != "[":
        return False
    addresses = [IPv6Address(each.address.replace(":::", "::")) for each in (one, other)]
    return addresses[0] == addresses[1]


def _same_params(one: Params, other: Params) -> bool:
    ours, theirs = _param_map(one), _param_map(other)
    if any(name in _NEVER_DEFAULT for name in ours.keys() ^ theirs.keys()):
        return False
    return all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys())


def _param_map(params: Params) -> dict[str, str]:
    return {_folded(name): _folded(value or "") for name, value in reversed(params)}  # the first counts


def _header_set(headers: str) -> list[tuple[str, str]]:
    pairs = (header.partition("=") for header in headers.split("&"))
    return sorted((_folded(name), _normalize(value)) for name, _, value in pairs)


def _folded(text: str) -> str:
    return _normalize(text).lower()
