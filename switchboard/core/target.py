"""One place to send a request to (RFC 3261 §16.5)."""

from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from switchboard.core.commands import Fields
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, format_hop
from switchboard.sip.uri import SipUri, parse_uri

NOBODY = SipUri("", None, None, "", None, has_host=False)
"""Stands for a URI that cannot be read."""
_q = attrgetter("q")
_new = tuple.__new__


class Bound(Protocol):
    """The part of a binding that routing needs (`switchboard.registrar.binding.Binding`)."""

    @property
    def contact(self) -> str: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def q(self) -> float: ...
    @property
    def next_hop(self) -> str: ...
    @property
    def path(self) -> tuple[str, ...]: ...
    @property
    def source(self) -> str: ...
    @property
    def source_host(self) -> str: ...
    @property
    def flow(self) -> bytes: ...


class Target(NamedTuple):
    """One place to send the request to.

    `text` is the Request-URI to write, `uri` the same parsed. `path`: Route values to push (RFC 3327).
    `next_hop`: "host:port" to send to instead of asking the URI, "" to ask it. `local`: our address to send from,
    "" for the one that faces the hop. `fallback`: "host:port" to send to if nobody can be there, "" for none.
    `user`: the user of ours whose binding it is.
    """

    text: str
    uri: SipUri
    q: float = 1.0
    path: tuple[str, ...] = ()
    next_hop: str = ""
    local: str = ""
    fallback: str = ""
    user: str = ""

    def saved(self) -> Fields:
        """What `restore` makes this target of again."""
        return self.text, self.q, self.path, self.next_hop, self.local, self.fallback, self.user

    @classmethod
    def restore(cls, saved: Fields) -> "Target":
        """Return the target that `saved` was asked of."""
        text, q, path, *rest = saved
        return cls(text, uri_of(text), q, tuple(path), *rest)


def target_of(bound: Bound, user: str) -> Target | None:
    """Return where a binding of `user` leads; None if it is no SIP URI.

    Where it was registered from is another way to it, unless that is the same host: there another port may be anybody.
    """
    try:
        uri = parse_uri(bound.contact)
    except ParseError:
        return None
    if uri.scheme != "sip":
        return None
    text = bound.contact
    if uri.headers or uri.param("method") is not None:
        uri = uri.without_params("method").replace(headers="")
        text = str(uri)
    is_elsewhere = bound.source_host != uri.host.strip("[]")
    fallback = bound.source if is_elsewhere and not (bound.next_hop or bound.path) else ""
    return _new(Target, (text, uri, bound.q, bound.path, bound.next_hop, "", fallback, user))


def along(text: str, uri: SipUri, flow: Flow, user: str = "") -> Target:
    """Return the target that is reached over `flow`, whatever its URI says."""
    return _new(Target, (text, uri, 1.0, (), format_hop(flow.host, flow.port), flow.local, "", user))


def is_spoken(uri: SipUri) -> bool:
    """Whether it names the transport that we speak, or none."""
    return (uri.param("transport") or "udp").lower() == "udp"


def by_priority(targets: list[Target]) -> list[list[Target]]:
    """Group `targets` for forking: equal q in parallel, falling q one group after the other (§16.6)."""
    if len(targets) == 1:
        return [targets]
    ordered = sorted(targets, key=_q, reverse=True)
    return [list(group) for _, group in groupby(ordered, key=_q)]


def uri_of(text: str) -> SipUri:
    """Return the URI; nobody's if it is not a SIP URI, which only a flow can reach."""
    try:
        return parse_uri(text)
    except ParseError:
        return NOBODY
