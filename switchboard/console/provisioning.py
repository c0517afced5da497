"""How a Linphone phone sets itself up: links that work once, and their XML. Time is an argument."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from switchboard.settings.types import show_address
from switchboard.sip.flow import bracketed

LIFETIME_S = 900.0
MAX_LINKS = 200
TOKEN_BYTES = 24
SIP_PORT = 5060
_NAMESPACE = "http://www.linphone.org/xsds/lpconfig.xsd"

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a phone shows instead of a password: HA1 (RFC 7616 §3.4.2) for one realm and algorithm."""

    realm: str
    algorithm: str
    ha1: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """What one link gives away. `token` is all that its address tells."""

    token: str
    user: str
    credentials: Credentials | None
    """None where nobody is asked for passwords."""
    expires_at: float


class Links:
    """The links that nobody has followed yet, with their credentials: in memory, void after a restart."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, Link] = OrderedDict()

    def make(self, user: str, credentials: Credentials | None, token: str, now_at: float) -> Link:
        """Return a new link for a user; it takes the place of the oldest if there are too many.

        With credentials it makes the user's earlier links void: theirs are of an old password.
        """
        self._forget(now_at)
        if credentials:
            self._void(user)
        link = self._links[token] = Link(token, user, credentials, now_at + LIFETIME_S)
        if len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)
        return link

    def look(self, token: str, now_at: float) -> Link | None:
        """Return a link without following it; None if it was followed, is too old, or never was."""
        self._forget(now_at)
        return self._links.get(token)

    def follow(self, token: str, now_at: float) -> Link | None:
        """The same, for the first who asks only."""
        link = self.look(token, now_at)
        self._links.pop(token, None)
        return link

    def _void(self, user: str) -> None:
        for link in list(self._links.values()):
            if link.user == user:
                del self._links[link.token]

    def _forget(self, now_at: float) -> None:
        for link in list(self._links.values()):
            if link.expires_at > now_at:
                break
            del self._links[link.token]


def configuration(user: str, host: str, port: int, credentials: Credentials | None) -> Sections:
    """Return what Linphone is to know: sections of its configuration. `host`, `port`: the registrar's."""
    domain = _hostport(host, port)
    sections = {
        "sip": {"default_proxy": "0"},
        "proxy_0": {
            "reg_proxy": f"<sip:{domain};transport=udp>",
            "reg_identity": f"sip:{user}@{domain}",
            "reg_sendregister": "1",
            "reg_expires": "3600",
            "publish": "0",
        },
    }
    if credentials:
        sections["auth_info_0"] = {
            "username": user,
            "realm": credentials.realm,
            "ha1": credentials.ha1,
            "algorithm": credentials.algorithm,
            "domain": host,
        }
    return sections


def _hostport(host: str, port: int) -> str:
    """As it stands in a SIP URI (RFC 3261 §25.1)."""
    if port == SIP_PORT:
        return bracketed(host)
    return show_address(host, port)


def to_xml(sections: Sections) -> str:
    """The sections as Linphone's remote provisioning has them."""
    body = "\n".join(_section(name, entries) for name, entries in sections.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<config xmlns="{_NAMESPACE}">\n{body}\n</config>\n'


def _section(name: str, entries: Mapping[str, str]) -> str:
    lines = "\n".join(_entries(entries))
    return f"  <section name={quoteattr(name)}>\n{lines}\n  </section>"


def _entries(entries: Mapping[str, str]) -> Iterator[str]:
    for name, value in entries.items():
        yield f'    <entry name={quoteattr(name)} overwrite="true">{escape(value)}</entry>'
