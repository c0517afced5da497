"""Digest authentication as a client: what others challenge us with, and our answers (RFC 7616, RFC 8760).

Of several challenges the strongest that we can answer counts (RFC 8760 §2.4).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from switchboard.auth.digest import (
    ALGORITHMS,
    MD5,
    QOP,
    Credentials,
    canonical_algorithm,
    make_ha1,
    params_of,
)
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message

ANSWER_FIELDS: Final = {401: "Authorization", 407: "Proxy-Authorization"}
LONGEST: Final = 4_096
"""Octets of a challenge: what is longer cannot be given back, and would be asked for again and again."""
_CHALLENGE_FIELDS: Final = {401: Header.WWW_AUTHENTICATE, 407: Header.PROXY_AUTHENTICATE}


class Asked(NamedTuple):
    """One challenge. `has_qop`: whether it wants a nonce count (RFC 2069 did not). `text`: as it came."""

    realm: str
    nonce: str
    algorithm: str
    has_qop: bool
    is_stale: bool
    opaque: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "Asked":
        """ParseError if the text (untrusted) is no challenge that we can answer."""
        if len(text) > LONGEST:
            raise ParseError("Unknown Challenge")
        params = params_of(text)
        algorithm = canonical_algorithm(params.get("algorithm", MD5))
        offered = [each.strip().lower() for each in params.get("qop", "").split(",") if each.strip()]
        if algorithm not in ALGORITHMS or "realm" not in params or "nonce" not in params:
            raise ParseError("Unknown Challenge")
        if (offered and QOP not in offered) or _cannot_be_quoted(params):
            raise ParseError("Unknown Challenge")
        is_stale = params.get("stale", "").lower() == "true"
        return cls(
            params["realm"],
            params["nonce"],
            algorithm,
            bool(offered),
            is_stale,
            params.get("opaque", ""),
            text,
        )

    def answer(self, user: str, password: str, method: str, uri: str, cnonce: str, count: int = 1) -> str:
        """The value of Authorization or Proxy-Authorization. `count`: how often the nonce has been used, with this."""
        nc = f"{count:08x}" if self.has_qop else ""
        qop = QOP if self.has_qop else ""
        shown = Credentials(user, self.realm, self.nonce, uri, "", self.algorithm, qop, cnonce, nc)
        response = shown.expected(make_ha1(self.algorithm, user, self.realm, password), method)
        value = (
            f'Digest username="{user}", realm="{self.realm}", nonce="{self.nonce}", uri="{uri}", '
            f'response="{response}", algorithm={self.algorithm}'
        )
        value += f', opaque="{self.opaque}"' if self.opaque else ""
        return f'{value}, qop={QOP}, cnonce="{cnonce}", nc={nc}' if self.has_qop else value


def _cannot_be_quoted(params: dict[str, str]) -> bool:
    """Whether what we have to give back would end our own header field."""
    return any(set('\r\n"') & set(params.get(each, "")) for each in ("realm", "nonce", "opaque"))


def strongest(challenges: Iterable[str]) -> Asked | None:
    """The one of the challenges (values of header fields) to answer; None if we can answer none."""
    found = []
    for text in challenges:
        try:
            found.append(Asked.parse(text))
        except ParseError:
            continue
    return min(found, key=lambda each: ALGORITHMS.index(each.algorithm), default=None)


def asked_in(response: Message) -> Asked | None:
    """The challenge of a 401 or 407 that we can answer; None for another response, or if there is none."""
    field = _CHALLENGE_FIELDS.get(response.status)
    return strongest(response.all(field)) if field else None
