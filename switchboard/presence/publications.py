"""What phones publish of their users (RFC 3903): documents with entity tags, until they expire.

A publication is named by its entity tag, which each refresh and change replaces. `take_changes` returns what has to
be durable before an answer leaves. A request that a predecessor has answered, whose answer was lost, names a tag that
is not known any more: it gets 412, and the phone publishes anew, in place of what it had published.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final
from xml.etree.ElementTree import Element

from switchboard.core.delegation import PUBLISHED, package_of
from switchboard.presence.pidf import CONTENT_TYPE, MOST_TOLD, read_pidf, size_of
from switchboard.presence.reception import Answer, Refused, Request
from switchboard.presence.watching import Limits
from switchboard.presence.xml import MOST_BYTES, XmlError
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message

LASTS_S: Final = 3600
MOST_OF_ONE: Final = 10
"""Publications of one user: of more, the oldest goes."""
MOST: Final = 20_000
SLACK: Final = 1_000
"""Ends of publications that were replaced; of more, all are forgotten."""


@dataclass(slots=True)
class Publication:
    """One document. `serial`: the same as long as it is refreshed and changed. `call_id`: of the last PUBLISH."""

    tag: str
    user: str
    serial: str
    call_id: str
    since_at: float
    expires_at: float
    body: bytes
    document: list[Element] | None = None
    """What is in the root of `body`, once somebody has asked."""
    told: int | None = None
    """Its `size`, once somebody has asked."""

    def saved(self) -> list[Any]:
        """What `restore` makes this of again, as plain values."""
        return [self.tag, self.user, self.serial, self.call_id, self.since_at, self.expires_at, self.body]

    @classmethod
    def restore(cls, saved: list[Any]) -> "Publication":
        """Return what `saved` was asked of."""
        return cls(*saved)

    @property
    def elements(self) -> list[Element]:
        """The elements in its root."""
        if self.document is None:
            self.document = list(read_pidf(self.body))
        return self.document

    @property
    def size(self) -> int:
        """Octets of its elements as watchers get them."""
        if self.told is None:
            self.told = size_of(self.elements)
        return self.told


@dataclass(slots=True)
class Publications:
    """All of them. `changed` is told whose state may be another one. `at`: epoch s."""

    limits: Limits
    changed: Callable[[str, float], None]
    by_tag: dict[str, Publication] = field(default_factory=dict)
    _by_user: dict[str, dict[str, None]] = field(default_factory=dict)
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _changes: dict[str, Publication | None] = field(default_factory=dict)

    def take(self, request: Request, at: float) -> Answer:
        """Answer a PUBLISH (§6). `Refused`, `ParseError`."""
        message = request.message
        if package_of(message.get(Header.EVENT)) not in PUBLISHED:
            raise Refused(489, ("Allow-Events", ", ".join(sorted(PUBLISHED))))
        if request.sender != request.user:
            raise Refused(403)
        known = self._known(request)
        if known is None and len(self.by_tag) >= MOST:
            raise Refused(503, ("Retry-After", "60"))
        lasts_s = self.limits.expires(message, LASTS_S)
        document = _document(message)
        if known is None and document is None:
            raise ParseError("Missing Body")
        if known is not None:
            self._drop(known)
        tag = secrets.token_hex(8)
        if lasts_s:
            self._add(self._next(tag, known, request, document, at + lasts_s, at))
        if document is not None or not lasts_s:
            self.changed(request.user, at)
        return Answer(200, (("SIP-ETag", tag), ("Expires", str(lasts_s))))

    def _known(self, request: Request) -> Publication | None:
        """The publication that SIP-If-Match names. `Refused` 412."""
        tag = request.message.get("sip-if-match")
        if tag is None:
            return None
        known = self.by_tag.get(tag)
        if known is None or known.user != request.user:
            raise Refused(412)
        return known

    def _next(
        self,
        tag: str,
        known: Publication | None,
        request: Request,
        document: list[Element] | None,
        expires_at: float,
        at: float,
    ) -> Publication:
        call_id, body = request.message.call_id, request.message.body
        if known is None:
            serial = secrets.token_hex(3)
            return Publication(tag, request.user, serial, call_id, at, expires_at, body, document)
        if document is None:
            body, document = known.body, known.document
        return Publication(tag, known.user, known.serial, call_id, known.since_at, expires_at, body, document)

    def of(self, user: str) -> list[Publication]:
        """A user's publications, the latest first."""
        found = [self.by_tag[tag] for tag in self._by_user.get(user, ())]
        return sorted(found, key=lambda each: -each.since_at)

    def next_deadline(self) -> float | None:
        """When the next one expires, or has expired (epoch s)."""
        return self._ends[0][0] if self._ends else None

    def expire(self, at: float) -> None:
        """Forget those whose time is over."""
        while self._ends and self._ends[0][0] <= at:
            _, tag = heappop(self._ends)
            if (publication := self.by_tag.get(tag)) is not None:
                self._drop(publication)
                self.changed(publication.user, at)

    def take_changes(self) -> dict[str, Publication | None]:
        """What has to be durable by tags; None: it is gone."""
        changes, self._changes = self._changes, {}
        return changes

    def load(self, publications: Iterable[Publication]) -> None:
        """Go on with those of a predecessor, and with no others."""
        self.by_tag.clear()
        self._by_user.clear()
        self._ends.clear()
        for each in publications:
            self._add(each)
        self._changes.clear()

    def _add(self, publication: Publication) -> None:
        mine = self._by_user.setdefault(publication.user, {})
        for tag in [tag for tag in mine if self.by_tag[tag].call_id == publication.call_id]:
            self._drop(self.by_tag[tag])  # the phone has not heard of it
        mine = self._by_user.setdefault(publication.user, {})
        if len(mine) >= MOST_OF_ONE:
            self._drop(self.by_tag[next(iter(mine))])
        self._by_user.setdefault(publication.user, {})[publication.tag] = None
        self.by_tag[publication.tag] = self._changes[publication.tag] = publication
        if len(self._ends) > 2 * len(self.by_tag) + SLACK:
            self._ends = sorted((each.expires_at, tag) for tag, each in self.by_tag.items())
        else:
            heappush(self._ends, (publication.expires_at, publication.tag))

    def _drop(self, publication: Publication) -> None:
        mine = self._by_user[publication.user]
        del self.by_tag[publication.tag], mine[publication.tag]
        if not mine:
            del self._by_user[publication.user]
        self._changes[publication.tag] = None


def _document(message: Message) -> list[Element] | None:
    """What the body publishes; None without one. `Refused` 413, 415; ParseError."""
    body = message.body
    if not body:
        return None
    content_type = (message.get(Header.CONTENT_TYPE) or "").partition(";")[0].strip().lower()
    if content_type != CONTENT_TYPE or (message.get("content-encoding") or "identity").lower() != "identity":
        raise Refused(415, ("Accept", CONTENT_TYPE))
    if len(body) > MOST_BYTES:
        raise Refused(413)
    try:
        elements = list(read_pidf(body))
    except XmlError as error:
        raise ParseError("Malformed Body") from error
    if size_of(elements) > MOST_TOLD:
        raise Refused(413)
    return elements
