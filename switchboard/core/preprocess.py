"""Request validation and Route handling (RFC 3261 §16.3, §16.4), in the RFC's order.

It also removes what only trusted senders may say about the caller and about how a phone rings (RFC 3325 §5, RFC
7315, RFC 3261 §20.4). Phones show an asserted identity as the caller's, and answer automatically if they are told
so. Both are removed from the requests and the responses of untrusted networks.
"""

import re
from typing import Final

from switchboard.core.call_plan import Plan
from switchboard.core.commands import Fields
from switchboard.core.dial_plan import sip_of_tel
from switchboard.core.dialog_seal import PARAM
from switchboard.core.domains import DEFAULT_PORT, OwnDomains
from switchboard.core.refusal import Refusal, bad_extension
from switchboard.core.relay_mark import PARAM as MARK
from switchboard.core.request import IncomingRequest
from switchboard.core.target import NOBODY, Target
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import bracketed
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri, parse_uri

Lines = list[tuple[int, int]]

_FIRST: Final = int(Header.P_ASSERTED_IDENTITY)
_LAST: Final = int(Header.CALL_INFO)
_IDENTITIES: Final = (Header.P_ASSERTED_IDENTITY, Header.P_PREFERRED_IDENTITY, Header.REMOTE_PARTY_ID)
_RINGING: Final = (Header.ALERT_INFO, Header.CALL_INFO)
_ANSWERS_ITSELF: Final = re.compile(rb"answer-after|auto[ -]?answer", re.IGNORECASE)


def unproved_lines(message: Message, may_name: bool = False) -> Lines:
    """Start and end of the lines that are believed of trusted senders only.

    `may_name`: the sender is believed who calls, and nothing else. Then these lines are left, unless the caller does
    not want to be known (RFC 3325 §7).
    """
    for number in message.numbers:
        if _FIRST <= number <= _LAST:
            return _lines_of(message, may_name)
    return []


def _lines_of(message: Message, may_name: bool) -> Lines:
    named = (Header.P_PREFERRED_IDENTITY,) if may_name and not _is_private(message) else _IDENTITIES
    lines = [line for header in named for line in message.lines(header)]
    ringing = [line for header in _RINGING for line in message.lines(header)]
    return lines + [(start, end) for start, end in ringing if _ANSWERS_ITSELF.search(message.raw, start, end)]


def _is_private(message: Message) -> bool:
    wanted = (each.strip().lower() for value in message.values("privacy") for each in value.split(";"))
    return "id" in wanted


DEFAULT_MAX_FORWARDS = 70
_USUAL_MAX_FORWARDS = str(DEFAULT_MAX_FORWARDS)
MAX_BREADTH = 60
"""What a request has that says nothing of it, and at most (RFC 5393 §5.3.3)."""
MOST_PASSES = 4
"""How often a request may come back to us under another Request-URI."""
_SMALL_NUMBER = re.compile("[0-9]{1,3}")
_LARGEST_CSEQ = 2**31 - 1
_LARGEST_MAX_FORWARDS = 255


class Routing:
    """A request as routing sees it after §16.4.

    `text` and `uri` are the Request-URI; of one that cannot be read, `unreadable` is what to say of it: only the
    Route of its dialog can lead it then. `routes`: Route values that are left. `seal`: what the last of ours that
    was taken off bore (`dialog_seal`); `mark`: the same of relayed media (`relay_mark`). `breadth`: most branches at
    once (RFC 5393 §5.3). `may_relay`: whether its sender may call any destination. `user`: the authenticated user.
    `is_sealed`: whether the seal is one of this dialog; `is_led`: and leads where the request wants to go, to
    `target`, or else to the bindings of our user who is called. `is_nobodys`: its sender is no user of ours there.
    `stages`: of a call that obeys rules of users, instead of targets. `called`: whom a provider calls, "" for us; None:
    it is no provider.
    """

    __slots__ = (
        "breadth", "called", "is_led", "is_nobodys", "is_sealed", "mark", "max_forwards", "may_relay", "routes", "seal",
        "stages", "target", "text", "unreadable", "uri", "user",
    )  # fmt: skip

    def __init__(self, text: str, uri: SipUri, routes: list[str], max_forwards: int) -> None:
        self.text = text
        self.uri = uri
        self.routes = routes
        self.max_forwards = max_forwards
        self.breadth = MAX_BREADTH
        self.seal = self.mark = ""
        self.user = ""
        self.called: str | None = None
        self.may_relay = False
        self.is_sealed = False
        self.is_led = False
        self.is_nobodys = False
        self.target: Target | None = None
        self.stages: Plan = ()
        self.unreadable: Refusal | ParseError | None = None

    def saved(self) -> Fields:
        """What `restore` makes this of again."""
        mark = (self.mark,) if self.mark else ()
        return self.text, self.routes, self.max_forwards, self.may_relay, self.breadth, self.user, *mark

    @classmethod
    def restore(cls, saved: Fields) -> "Routing":
        """Return what `saved` was asked of."""
        text, routes, max_forwards, may_relay, breadth, user, *mark = saved
        uri, unreadable = _read_uri(text)
        routing = cls(text, uri, list(routes), max_forwards)
        routing.unreadable = unreadable
        routing.mark = mark[0] if mark else ""
        routing.may_relay, routing.breadth, routing.user = may_relay, breadth, user
        return routing


def check_syntax(request: Message) -> None:
    """Refuse what breaks the grammar in a field that every element needs (§16.3 step 1)."""
    number, method = request.cseq
    if not 0 <= number <= _LARGEST_CSEQ:
        raise ParseError("Malformed CSeq", "CSeq")
    if method != request.method:
        raise ParseError("CSeq Does Not Match The Method", "CSeq")
    if not request.call_id:
        raise ParseError("Empty Call-ID", "Call-ID")
    if not request.from_uri:
        raise ParseError("Malformed From", "From")
    if not request.to_uri:
        raise ParseError("Malformed To", "To")


def preprocess(incoming: IncomingRequest, own: OwnDomains) -> Routing:
    """Validate a request and work its Route off; `Refusal` or `ParseError` if it goes no further."""
    request = incoming.message
    check_syntax(request)
    text = request.uri
    if own.takes_tel and not incoming.is_in_dialog:  # there it is the other side's Contact
        text = sip_of_tel(text, bracketed(incoming.source.local))
    uri, unreadable = _read_uri(text, own.is_secure)
    if unreadable and not incoming.is_in_dialog:
        raise unreadable
    if uri.headers and not (incoming.is_in_dialog or own.owns(uri)):  # nobody was to send them (§19.1.1)
        raise ParseError("Header Fields In The Request-URI", "Request-URI")
    hops = _max_forwards(request)
    _check_loop(incoming)
    _check_proxy_require(request)
    routing = Routing(text, uri, _routes(incoming), hops - 1)
    routing.unreadable = unreadable
    if Header.MAX_BREADTH in request.numbers:
        routing.breadth = _max_breadth(request)
    _undo_strict_routing(routing, own, incoming.is_in_dialog)
    _take_maddr(routing, own)
    take_own_routes(routing, own)
    return routing


def take_own_routes(routing: Routing, own: OwnDomains) -> None:
    """Take our own Route values off the top, and note the seal of the last one (§16.4)."""
    while routing.routes and own.owns(route := _route_uri(routing.routes[0])):
        del routing.routes[0]
        routing.seal = route.param(PARAM) or routing.seal
        routing.mark = route.param(MARK) or routing.mark


def parse_request_uri(text: str) -> SipUri:
    """Return the Request-URI; `Refusal` 416 for a scheme that no proxy speaks (§16.3 step 2)."""
    try:
        uri = parse_uri(text)
    except ParseError as error:
        if error.status == 416:
            raise Refusal(416) from error
        raise ParseError("Malformed Request-URI", "Request-URI") from error
    if not uri.has_host:
        raise ParseError("Malformed Request-URI", "Request-URI")
    return uri


def _read_uri(text: str, is_secure: bool = True) -> tuple[SipUri, "Refusal | ParseError | None"]:
    """The URI and None; of what we cannot route by, nobody's URI and what to say of it.

    `is_secure`: whether we have a transport that `sips` allows (RFC 5630 §3.1).
    """
    try:
        uri = parse_request_uri(text)
    except (Refusal, ParseError) as error:
        return NOBODY, error
    return (uri, None) if is_secure or uri.scheme == "sip" else (NOBODY, Refusal(416))


def _max_breadth(request: Message) -> int:
    """What is no number says nothing; `Refusal` 440 if the request may not be forwarded at all (RFC 5393 §5.3.3)."""
    digits = request.get(Header.MAX_BREADTH) or ""
    if not _SMALL_NUMBER.fullmatch(digits):
        return MAX_BREADTH
    if int(digits) == 0:
        raise Refusal(440)
    return min(int(digits), MAX_BREADTH)


def _max_forwards(request: Message) -> int:
    text = request.get(Header.MAX_FORWARDS)
    if text is None:
        return DEFAULT_MAX_FORWARDS + 1
    if text == _USUAL_MAX_FORWARDS:
        return DEFAULT_MAX_FORWARDS
    digits = text.lstrip("0") or text[-1:]
    if not _SMALL_NUMBER.fullmatch(digits) or int(digits) > _LARGEST_MAX_FORWARDS:
        raise ParseError("Malformed Max-Forwards", "Max-Forwards")
    if int(digits) == 0:
        raise Refusal(483)
    return int(digits)


def _check_loop(incoming: IncomingRequest) -> None:
    """§16.3 step 4, RFC 5393 §4.2: the same request again; or one that spirals without end."""
    if not incoming.passes:
        return
    end = f".{incoming.routing_hash}"
    if len(incoming.passes) > MOST_PASSES or [branch for branch in incoming.passes if branch.endswith(end)]:
        raise Refusal(482)


def _check_proxy_require(request: Message) -> None:
    if Header.PROXY_REQUIRE in request.numbers and (required := request.values(Header.PROXY_REQUIRE)):
        raise bad_extension(required)


def _routes(incoming: IncomingRequest) -> list[str]:
    """The Route values, bare URIs in brackets (§20.34).

    Within a dialog they are the Record-Route values of others, of which those lead nowhere that are no URI.
    """
    request = incoming.message
    if Header.ROUTE not in request.numbers:
        return []
    routes = [value if "<" in value else f"<{value}>" for value in request.values(Header.ROUTE)]
    return list(filter(_is_route, routes)) if incoming.is_in_dialog else routes


def _is_route(value: str) -> bool:
    try:
        _route_uri(value)
    except ParseError:
        return False
    return True


def _undo_strict_routing(routing: Routing, own: OwnDomains, in_dialog: bool) -> None:
    """A strict router put our Record-Route into the Request-URI and the target at the end (§16.4)."""
    uri = routing.uri
    ours = uri.user is None and own.owns(uri) and (in_dialog or uri.param("lr") is not None)
    if ours and routing.routes:
        routing.text = _text_of(routing.routes.pop())
        routing.uri, routing.unreadable = _read_uri(routing.text, own.is_secure)
        if routing.unreadable and not in_dialog:
            raise routing.unreadable
        routing.seal = uri.param(PARAM) or routing.seal


def _take_maddr(routing: Routing, own: OwnDomains) -> None:
    maddr = routing.uri.param("maddr")
    if not maddr:
        return
    if own.is_listening_at(maddr, routing.uri.port or DEFAULT_PORT):
        routing.uri = routing.uri.without_params("maddr", "transport").replace(port=None)
        routing.text = str(routing.uri)


def _route_uri(value: str) -> SipUri:
    try:
        return parse_uri(_text_of(value))
    except ParseError as error:
        raise ParseError("Malformed Route", "Route") from error


def _text_of(value: str) -> str:
    try:
        return uri_in(value)
    except ParseError as error:
        raise ParseError("Malformed Route", "Route") from error
