"""Subscriptions and their notifications (RFC 6665), for all packages alike. No clock, no socket, no store.

Theory. A SUBSCRIBE makes, refreshes or ends a subscription; each is answered by a NOTIFY at once. A change of a state
queues the subscriptions to it. Of each at most one NOTIFY is under way, and at most one in GAP_S: what changes
meanwhile is told by the next one, which has the state of then. So the queue has one entry a subscription, and a slow
watcher gets fewer documents, never older ones.

`take_changes` returns what has to be durable before an answer or a NOTIFY leaves. A NOTIFY needs a CSeq number above
all that were used; the store has a number up to which they may be used, so that most need no write. A subscription
that is over stays until its last NOTIFY is answered, so that a successor sends it again.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import Any, Final, NamedTuple, Protocol

from switchboard.core.delegation import package_of
from switchboard.presence.packages import Package
from switchboard.presence.reception import RETRY_AFTER, Answer, Refused, Request, make_tag
from switchboard.presence.subscription import RESERVED, Subscription
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import parse_uri

GAP_S: Final = 0.2
"""Between two NOTIFYs of one subscription."""
RETRY_S: Final = 10.0
"""After a NOTIFY that nobody got, and twice that after the next."""
RESUMED_A_SECOND: Final = 200
"""After a start every watcher is told the state, since it may have changed: not all at once."""
MOST: Final = 50_000
MOST_OF_ONE: Final = 2_000
"""Subscriptions of one watcher."""
LONGEST: Final = 4_096
"""Octets of a field that a NOTIFY returns, and of all of its Route."""
MOST_FAILURES: Final = 3
"""NOTIFYs in a row that nobody answers."""
_GONE: Final = frozenset((404, 405, 410, 416, *range(480, 486), 489, 501, 604))
"""Answers that end a subscription (RFC 5057 §5.1)."""
_ID: Final = re.compile(r";[ \t]*id[ \t]*=[ \t]*([^; \t]+)", re.IGNORECASE)
_SECONDS: Final = re.compile("[0-9]{1,10}")
_BREAKS: Final = re.compile(r"[\r\n\0]+")


class Limits(NamedTuple):
    """Seconds that a subscription or publication may last."""

    min_s: int
    max_s: int

    def expires(self, message: Message, default_s: int) -> int:
        """What the request asks for, at most `max_s`. `Refused` 423 if it is too little; 0 ends it. ParseError."""
        text = message.get(Header.EXPIRES)
        if text is None:
            return max(self.min_s, min(default_s, self.max_s))
        if not _SECONDS.fullmatch(text):
            raise ParseError("Malformed Expires", "Expires")
        wanted = int(text)
        if 0 < wanted < self.min_s:
            raise Refused(423, ("Min-Expires", str(self.min_s)))
        return min(wanted, self.max_s)


class Notification(NamedTuple):
    """A NOTIFY without Via, along `flow` (packed), or if that is empty to the `watcher`'s binding at its Contact."""

    token: bytes
    raw: bytes
    flow: bytes
    watcher: str


class Policy(Protocol):
    """Who may watch whom."""

    def may_watch(self, watcher: str, user: str, package: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Watchers:
    """`everybody`: strangers, too."""

    everybody: bool = False

    def may_watch(self, watcher: str, user: str, package: str) -> bool:  # noqa: ARG002
        """Whether `watcher`, "" for a stranger, may watch `user`."""
        return self.everybody or bool(watcher)


Place = Callable[[str, Flow], str]
"""The URI by which the other end of a flow reaches a user here, whose user part of a URI is given."""


@dataclass(slots=True)
class Watching:
    """All subscriptions. `at`: epoch s, of a clock that does not step back."""

    packages: Mapping[str, Package]
    policy: Policy
    limits: Limits
    place: Place
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    notified: int = 0
    failed: int = 0
    refused: int = 0
    held: str = ""
    """A package of which nothing is told, as its states are not known yet; see `release`."""
    _held_back: list[str] = field(default_factory=list)
    _by_watched: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    _by_package: Counter[str] = field(default_factory=Counter)
    _by_payer: dict[str, int] = field(default_factory=dict)
    _by_dialog: dict[tuple[str, ...], str] = field(default_factory=dict)
    _queue: list[tuple[float, str]] = field(default_factory=list)
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _changes: dict[str, Subscription | None] = field(default_factory=dict)

    # requests

    def take(self, request: Request, at: float) -> Answer:
        """Answer a SUBSCRIBE. `Refused`, `ParseError`."""
        message = request.message
        event = _text(message, Header.EVENT)
        package = self.packages.get(package_of(event))
        if package is None:
            raise Refused(489, self.allow_events())
        event_id = found[1][:LONGEST] if (found := _ID.search(event)) else ""
        if message.to_tag:
            subscription = self._refreshed(request, package, event_id)
        else:
            self._check(request, package)
            known = self._asked_again(request, package, event_id)
            subscription = known or self._made(request, package, event_id, at)
        lasts_s = self.limits.expires(message, package.lasts_s)
        self._keep(subscription, request, lasts_s, at)
        return self._accepted(subscription, request, lasts_s)

    def allow_events(self) -> tuple[str, str]:
        """The header field."""
        return "Allow-Events", ", ".join(self.packages)

    def _refreshed(self, request: Request, package: Package, event_id: str) -> Subscription:
        message = request.message
        known = self.subscriptions.get(message.to_tag)
        if known is None or known.ends:
            raise Refused(481)
        if known.dialog != (message.call_id, message.from_tag, package.name, event_id):
            raise Refused(481)
        if request.sender != known.watcher:
            raise Refused(403)
        if message.cseq[0] < known.heard:
            raise Refused(500, RETRY_AFTER)
        return known

    def _asked_again(self, request: Request, package: Package, event_id: str) -> Subscription | None:
        """The subscription that this very request has made, before a predecessor died; another one is replaced."""
        message = request.message
        tag = self._by_dialog.get((message.call_id, message.from_tag, package.name, event_id))
        known = self.subscriptions[tag] if tag else None
        if known is None or known.watcher != request.sender:
            return None
        if known.heard == message.cseq[0] and not known.ends:
            return known
        self._forget(known)
        return None

    def _check(self, request: Request, package: Package) -> None:
        accepted = [each.partition(";")[0].strip().lower() for each in request.message.values("accept")]
        if accepted and not {package.content_type, "*/*", "application/*"} & set(accepted):
            raise Refused(406, ("Accept", package.content_type))
        sender, user = request.sender, request.user
        if not self.policy.may_watch(sender, user, package.name) or (package.is_private and sender != user):
            self.refused += 1
            raise Refused(403)
        if len(self.subscriptions) >= MOST or self._by_payer.get(_payer(request), 0) >= MOST_OF_ONE:
            self.refused += 1
            raise Refused(503, RETRY_AFTER)

    def _made(self, request: Request, package: Package, event_id: str, at: float) -> Subscription:
        message, tag = request.message, make_tag()
        remote, local = _text(message, Header.FROM), _text(message, Header.TO)
        if not message.from_tag:
            raise ParseError("Malformed From", "From")
        if _BREAKS.search(message.call_id) or len(message.call_id) > LONGEST:
            raise ParseError("Malformed Call-ID", "Call-ID")
        return Subscription(
            tag=tag,
            package=package.name,
            event_id=event_id,
            watcher=request.sender,
            user=request.user,
            entity=_entity(message.to_uri),
            call_id=message.call_id,
            remote_tag=message.from_tag,
            remote=remote,
            local=f"{local.rstrip('; ')};tag={tag}",
            target=_contact(message),
            routes=_routes(message),
            flow=b"",
            heard=0,
            reserved=RESERVED,
            since_at=at,
            expires_at=at,
            payer=_payer(request),
        )

    def _keep(self, subscription: Subscription, request: Request, lasts_s: int, at: float) -> None:
        message = request.message
        if Header.CONTACT in message.numbers:
            subscription.target = _contact(message)
        subscription.flow, subscription.uses_binding = request.flow.pack(), False
        subscription.heard, subscription.failures = message.cseq[0], 0
        subscription.expires_at = at + lasts_s
        if not lasts_s:
            subscription.ends = "timeout"
        if subscription.tag not in self.subscriptions:
            self._index(subscription)
        self._look_at_end(subscription)
        self._changes[subscription.tag] = subscription
        subscription.is_asked, subscription.free_at = True, at
        self._queue_up(subscription, at)

    def _accepted(self, subscription: Subscription, request: Request, lasts_s: int) -> Answer:
        recorded = [("Record-Route", each) for each in request.message.all(Header.RECORD_ROUTE)]
        contact = f"<{self.place(subscription.user_part, request.flow)}>"
        fields = [*recorded, ("Contact", contact), ("Expires", str(lasts_s))]
        return Answer(200, fields, subscription.tag)

    # what happens

    def changed(self, package: str, user: str, at: float) -> None:
        """The state of a user may be another one."""
        for tag in self._by_watched.get((package, user), ()):
            self._queue_up(self.subscriptions[tag], at)

    def watches(self, package: str) -> bool:
        """Whether anybody watches anybody by this package."""
        return self._by_package[package] > 0

    def watched(self, package: str) -> list[str]:
        """Whom somebody watches."""
        return [user for name, user in self._by_watched if name == package]

    def answered(self, token: bytes, status: int, is_own: bool, at: float) -> None:
        """A NOTIFY has its final response; `is_own`: nobody gave one, and the status says why. 0: it is unknown."""
        tag, _, number = token.decode("ascii", "replace").partition(" ")
        subscription = self.subscriptions.get(tag)
        if subscription is None or str(subscription.cseq) != number or not subscription.is_waiting:
            return
        subscription.is_waiting = False
        if 200 <= status < 300:
            subscription.failures = 0
        else:
            self._fail(subscription, status, is_own, at)
        is_over = subscription.has_told_end and status
        if is_over or (status in _GONE and not is_own) or subscription.failures >= MOST_FAILURES:
            self._forget(subscription)
        else:
            self._queue_up(subscription, at)

    def _fail(self, subscription: Subscription, status: int, is_own: bool, at: float) -> None:
        """Who refuses it is asked at the next change. What nobody got is told again, to where the watcher is registered
        or later: else a lamp would stay as it was until then.
        """
        self.failed += 1
        if not is_own:
            return
        subscription.sent = None
        if subscription.watcher and not subscription.uses_binding and status in (430, 503):
            subscription.uses_binding = True
            return
        subscription.failures += 1
        if status:
            subscription.free_at = at + RETRY_S * subscription.failures

    def take_due(self, at: float, most: int) -> list[Notification]:
        """The NOTIFYs that are due now, at most so many."""
        states: dict[tuple[str, str], Any] = {}
        found: list[Notification] = []
        while self._queue and self._queue[0][0] <= at and len(found) < most:
            _, tag = heappop(self._queue)
            subscription = self.subscriptions.get(tag)
            if subscription is None:
                continue
            if subscription.package == self.held:
                self._held_back.append(tag)
                continue
            subscription.is_due = False
            if not subscription.is_waiting and (notification := self._notify(subscription, states, at)):
                found.append(notification)
        return found

    def release(self, at: float) -> None:
        """Tell also of the package that was held."""
        self.held = ""
        for tag in self._held_back:
            heappush(self._queue, (at, tag))
        self._held_back.clear()

    def _notify(
        self, subscription: Subscription, states: dict[tuple[str, str], Any], at: float
    ) -> Notification | None:
        package = self.packages.get(subscription.package)
        if package is None:
            subscription.ends, state, body = "noresource", None, b""
        else:
            watched = (subscription.package, subscription.user)
            if watched not in states:
                states[watched] = package.state(subscription.user, at)
            state = states[watched]
            if state == subscription.sent and not (subscription.is_asked or subscription.ends):
                return None
            body = package.body(subscription.entity, state, subscription.cseq)
        self._number(subscription)
        subscription.sent, subscription.is_asked, subscription.is_waiting = state, False, True
        subscription.has_told_end, subscription.free_at = bool(subscription.ends), at + GAP_S
        self.notified += 1
        raw = subscription.notify(body, package.content_type if package else "", at)
        flow = b"" if subscription.uses_binding else subscription.flow
        return Notification(subscription.token, raw, flow, subscription.watcher)

    def _number(self, subscription: Subscription) -> None:
        subscription.cseq += 1
        if subscription.cseq > subscription.reserved:
            subscription.reserved = subscription.cseq + RESERVED
            self._changes[subscription.tag] = subscription

    def next_deadline(self) -> float | None:
        """When something is due (epoch s)."""
        heads = [heap[0][0] for heap in (self._queue, self._ends) if heap]
        return min(heads) if heads else None

    def expire(self, at: float) -> None:
        """End what is over."""
        while self._ends and self._ends[0][0] <= at:
            _, tag = heappop(self._ends)
            subscription = self.subscriptions.get(tag)
            if subscription is None or subscription.ends:
                continue
            subscription.ends_at = inf
            if subscription.expires_at <= at:
                self._end(subscription, "timeout", at)
            else:
                self._look_at_end(subscription)

    def _look_at_end(self, subscription: Subscription) -> None:
        """One entry each is enough, as long as it is no later than the end."""
        if subscription.expires_at < subscription.ends_at:
            subscription.ends_at = subscription.expires_at
            heappush(self._ends, (subscription.ends_at, subscription.tag))

    def end(self, tag: str, reason: str, at: float) -> bool:
        """End a subscription for this reason (RFC 6665 §4.1.3); whether there was one."""
        subscription = self.subscriptions.get(tag)
        if subscription is None or subscription.ends:
            return False
        self._end(subscription, reason, at)
        return True

    def _end(self, subscription: Subscription, reason: str, at: float) -> None:
        subscription.ends = reason
        self._changes[subscription.tag] = subscription
        subscription.free_at = at
        self._queue_up(subscription, at)

    # what is kept

    def take_changes(self) -> dict[str, Subscription | None]:
        """What has to be durable by tags; None: it is gone."""
        changes, self._changes = self._changes, {}
        return changes

    def load(self, subscriptions: Iterable[Subscription], at: float) -> None:
        """Go on with those of a predecessor, and with no others."""
        for table in (self.subscriptions, self._by_watched, self._by_payer, self._by_dialog, self._changes):
            table.clear()
        self._by_package.clear()
        self._held_back.clear()
        self._queue.clear()
        self._ends.clear()
        for place, subscription in enumerate(subscriptions):
            self._index(subscription)
            self._look_at_end(subscription)
            self._queue_up(subscription, at + place / RESUMED_A_SECOND)

    def skip(self, numbers: int) -> None:
        """So many NOTIFYs more may have been sent of each subscription than is known."""
        for subscription in self.subscriptions.values():
            subscription.cseq += numbers
            subscription.reserved = subscription.cseq
            self._changes[subscription.tag] = subscription

    def _queue_up(self, subscription: Subscription, at: float) -> None:
        if subscription.is_due or subscription.is_waiting:
            return  # who waits for an answer is looked at then
        subscription.is_due = True
        heappush(self._queue, (max(at, subscription.free_at), subscription.tag))

    def _index(self, subscription: Subscription) -> None:
        payer, watched = subscription.payer, (subscription.package, subscription.user)
        self.subscriptions[subscription.tag] = subscription
        self._by_dialog[subscription.dialog] = subscription.tag
        self._by_watched.setdefault(watched, {})[subscription.tag] = None
        self._by_package[subscription.package] += 1
        self._by_payer[payer] = self._by_payer.get(payer, 0) + 1

    def _forget(self, subscription: Subscription) -> None:
        payer, watched = subscription.payer, (subscription.package, subscription.user)
        del self.subscriptions[subscription.tag]
        self._by_package[subscription.package] -= 1
        self._changes[subscription.tag] = None
        if self._by_dialog.get(subscription.dialog) == subscription.tag:
            del self._by_dialog[subscription.dialog]
        del self._by_watched[watched][subscription.tag]
        if not self._by_watched[watched]:
            del self._by_watched[watched]
        self._by_payer[payer] -= 1
        if not self._by_payer[payer]:
            del self._by_payer[payer]


def _entity(text: str) -> str:
    """Whom a document is about, as the watcher knows it: an address-of-record, or a tel: URI. ParseError."""
    try:
        return parse_uri(text).address_of_record
    except ParseError as error:
        if error.status != 416 or len(text) > LONGEST:
            raise
        return text


def _payer(request: Request) -> str:
    """Whose subscriptions are counted together."""
    return request.sender or request.flow.host


def _contact(message: Message) -> str:
    """The URI in Contact, to which NOTIFYs go. ParseError."""
    value = message.get(Header.CONTACT) or ""
    uri = NameAddr.parse(value).uri if value and len(value) <= LONGEST else ""
    if not parse_uri(uri).has_host:
        raise ParseError("Malformed Contact", "Contact")
    return uri


def _routes(message: Message) -> list[str]:
    """The Route of our requests (RFC 3261 §12.1.1). ParseError."""
    routes = [_BREAKS.sub(" ", each) for each in message.values(Header.RECORD_ROUTE)]
    if sum(map(len, routes)) > LONGEST:
        raise ParseError("Too Long Record-Route", "Record-Route")
    return routes


def _text(message: Message, header: Header) -> str:
    value = _BREAKS.sub(" ", message.get(header) or "")
    if len(value) > LONGEST:
        raise ParseError(f"Too Long {header.name.title()}", header.name.title())
    return value
