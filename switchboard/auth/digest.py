"""Digest authentication on the wire (RFC 7616, RFC 8760): challenges, credentials, and their hashes.

Credentials are valid for a request if their `uri` names its resource, in any spelling (RFC 7616 §3.4.6).
"""

import re
from collections.abc import Callable
from hashlib import md5, sha256
from typing import Final, NamedTuple
from urllib.parse import unquote

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import LWS, QUOTED_STRING, SWS, TOKEN
from switchboard.sip.uri import SipUri

SHA256: Final = "SHA-256"
MD5: Final = "MD5"
ALGORITHMS: Final = (SHA256, MD5)
"""Those that we can, the best first."""
HA1_BYTES: Final = {SHA256: 32, MD5: 16}
"""How long a sum is."""
QOP: Final = "auth"

_SCHEME = re.compile(rf"{SWS}Digest{LWS}", re.IGNORECASE)
_PARAM = re.compile(
    rf"{SWS}(?>(?:({TOKEN}){SWS}(?>(?:={SWS}(?>({QUOTED_STRING}|[^\",\s]++)?))?))?){SWS}(?:,|\Z)"
)
"""A parameter, perhaps without a value; or nothing before the next comma."""
_NC = re.compile("[0-9A-Fa-f]{1,8}")
_BY_NAME = {name.lower(): name for name in ALGORITHMS}


class Credentials(NamedTuple):
    """What a user agent shows: one value of Authorization or Proxy-Authorization (RFC 3261 §20.7, §20.28)."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    """One of ALGORITHMS; as received if it is another. MD5 if there was none."""
    qop: str = ""
    cnonce: str = ""
    nc: str = ""

    @classmethod
    def parse(cls, text: str) -> "Credentials":
        """ParseError if the text (untrusted) is not of the scheme Digest, or lacks what it must have."""
        params = params_of(text)
        try:
            named = {name: params[name] for name in ("username", "realm", "nonce", "uri", "response")}
        except KeyError as error:
            raise ParseError("Incomplete Credentials") from error
        algorithm = params.get("algorithm", MD5)
        return cls(
            **named,
            algorithm=canonical_algorithm(algorithm),
            qop=params.get("qop", "").lower(),
            cnonce=params.get("cnonce", ""),
            nc=params.get("nc", ""),
        )

    @property
    def nonce_count(self) -> int | None:
        """The nonce count; None if the user agent, an old one, does not count (RFC 3261 §22.4).

        0, which no user agent begins with, if it is malformed.
        """
        if not self.qop:
            return None
        return int(self.nc, 16) if _NC.fullmatch(self.nc) else 0

    def expected(self, ha1: str, method: str) -> str:
        """The response of a client with the password to a request of `method` (RFC 7616 §3.4.1)."""
        ha2 = digest(self.algorithm, method, self.uri)
        if not self.qop:
            return digest(self.algorithm, ha1, self.nonce, ha2)
        return digest(self.algorithm, ha1, self.nonce, self.nc, self.cnonce, self.qop, ha2)


def canonical_algorithm(name: str) -> str:
    """The one of ALGORITHMS that is meant; the name itself if it is another."""
    return _BY_NAME.get(name.lower(), name)


def digest(algorithm: str, *parts: str) -> str:
    """The sum over `parts`, joined by colons, in hexadecimal."""
    text = ":".join(parts).encode("utf-8", "surrogateescape")
    return sha256(text).hexdigest() if algorithm == SHA256 else md5(text, usedforsecurity=False).hexdigest()


def make_ha1(algorithm: str, user: str, realm: str, password: str) -> str:
    """What is kept in place of the password (RFC 7616 §3.4.2)."""
    return digest(algorithm, user, realm, password)


def challenge(realm: str, nonce: str, algorithm: str, *, stale: bool) -> str:
    """The value of a WWW-Authenticate or Proxy-Authenticate field.

    The algorithm is last: some user agents take the comma behind an unquoted value for a part of it.
    """
    again = "stale=true, " if stale else ""
    return f'Digest realm="{realm}", nonce="{nonce}", qop="{QOP}", {again}algorithm={algorithm}'


def realm_of(value: str) -> str:
    """The realm of the credentials `value` (untrusted); "" if they are none that we can read."""
    try:
        return Credentials.parse(value).realm
    except ParseError:
        return ""


def params_of(text: str) -> dict[str, str]:
    """The parameters by lower-case name, the first of each; of quoted ones what the quotes hold."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise ParseError("No Digest Credentials")
    params: dict[str, str] = {}
    position = scheme.end()
    while position < len(text):
        match = _PARAM.match(text, position)
        if match is None:
            raise ParseError("Malformed Credentials")
        if match[1]:
            params.setdefault(match[1].lower(), _unquoted(match[2] or ""))
        position = match.end()
    return params


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] == '"' else value


Owns = Callable[[SipUri], bool]
"""Whether a URI names something of ours."""

_LOOPBACK = "127.0.0.1"
_BEHIND_HOST = re.compile("[;?>]")


class _Resource(NamedTuple):
    """`user`: unescaped, "" for none. `place`: "" for us, whatever the name, else host and port."""

    user: str
    place: str


def names_same(shown: str, uri: str, user: str, owns: Owns) -> bool:
    """Whether `shown` (untrusted) of the credentials of `user` names what the Request-URI `uri` names.

    A URI of ours without a user names everything that is ours; and a user may name itself in place of the domain.
    """
    if shown == uri:
        return True
    one, other = _resource(shown, owns), _resource(uri, owns)
    if one is None or other is None or one.place != other.place:
        return False
    if one.user == other.user:
        return True
    return not one.place and (not one.user or (not other.user and one.user == user))


def _resource(text: str, owns: Owns) -> _Resource | None:
    """What `text` names, None if that cannot be told: with or without scheme, brackets and parameters."""
    bare = text.strip(" \t<>")
    if bare == "/":
        return _Resource("", "")
    scheme, _, rest = bare.partition(":")
    user, _, place = (rest if scheme.lower() in ("sip", "sips") else bare).rpartition("@")
    try:
        uri = SipUri.parse("sip:" + _BEHIND_HOST.split(place, 1)[0])
    except ParseError:
        return None
    if uri.host == "localhost":  # RFC 6761 §6.3
        uri = uri.replace(host=_LOOPBACK)
    return _Resource(unquote(user), "" if owns(uri) else f"{uri.host}:{uri.port or ''}")
