"""How a Linphone phone sets itself up: links that work once, and their XML. Time is an argument."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

LIFETIME_S = 900.0
MAX_LINKS = 200
TOKEN_BYTES = 24
_NAMESPACE = "http://www.linphone.org/xsds/lpconfig.xsd"

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Link:
    """What one link gives away. `token` is all that its address tells."""

    token: str
    user: str
    expires_at: float


class Links:
    """The links that nobody has followed yet, in memory only: a restart makes them void."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, Link] = OrderedDict()

    def make(self, user: str, token: str, now_at: float) -> Link:
        """Return a new link for a user; it takes the place of the oldest if there are too many."""
        link = self._links[token] = Link(token, user, now_at + LIFETIME_S)
        if len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)
        return link

    def look(self, token: str, now_at: float) -> Link | None:
        """Return a link without following it; None if it was followed, is too old, or never was."""
        link = self._links.get(token)
        return link if link and now_at < link.expires_at else None

    def follow(self, token: str, now_at: float) -> Link | None:
        """The same, for the first who asks only."""
        link = self.look(token, now_at)
        self._links.pop(token, None)
        return link


def configuration(user: str, domain: str) -> Sections:
    """Return what Linphone is to know: sections of its configuration. `domain`: with a port if not 5060."""
    return {
        "sip": {"default_proxy": "0"},
        "proxy_0": {
            "reg_proxy": f"<sip:{domain};transport=udp>",
            "reg_identity": f"sip:{user}@{domain}",
            "reg_sendregister": "1",
            "reg_expires": "3600",
            "publish": "0",
        },
    }


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
