"""Request validation and Route handling (RFC 3261 §16.3, §16.4), in the RFC's order."""

import re

from switchboard.auth.dialogs import PARAM
from switchboard.proxy.domains import DEFAULT_PORT, OwnDomains
from switchboard.proxy.received import Received
from switchboard.proxy.refusal import Refusal
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri, parse_uri
from switchboard.transaction.commands import Fields

DEFAULT_MAX_FORWARDS = 70
_USUAL_MAX_FORWARDS = str(DEFAULT_MAX_FORWARDS)
MOST_PASSES = 4
"""So often a request may come back to us under another Request-URI."""
_SMALL_NUMBER = re.compile("[0-9]{1,3}")
_LARGEST_CSEQ = 2**31 - 1
_LARGEST_MAX_FORWARDS = 255


class Routing:
    """A request as routing sees it after §16.4.

    `text` and `uri` are the Request-URI. `routes`: Route values that are left; `had_own_route`: whether one
    of ours was taken off, `proof`: what it proved (`auth.dialogs`). `may_relay`: whether its sender may reach
    whom it likes.
    """

    __slots__ = ("had_own_route", "max_forwards", "may_relay", "proof", "routes", "text", "uri")

    def __init__(
        self,
        text: str,
        uri: SipUri,
        routes: list[str],
        max_forwards: int,
        had_own_route: bool = False,
        proof: str = "",
        may_relay: bool = False,
    ) -> None:
        self.text = text
        self.uri = uri
        self.routes = routes
        self.max_forwards = max_forwards
        self.had_own_route = had_own_route
        self.proof = proof
        self.may_relay = may_relay

    def saved(self) -> Fields:
        """What `restore` makes this of again."""
        return self.text, self.routes, self.max_forwards, self.had_own_route, self.may_relay

    @classmethod
    def restore(cls, saved: Fields) -> "Routing":
        """Return what `saved` was asked of."""
        text, routes, max_forwards, had_own_route, *may_relay = saved
        routing = cls(text, parse_uri(text), list(routes), max_forwards, had_own_route)
        routing.may_relay = bool(may_relay and may_relay[0])  # logs of 0.1 do not tell
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


def preprocess(received: Received, own: OwnDomains) -> Routing:
    """Validate a request and work its Route off; `Refusal` or `ParseError` if it goes no further."""
    request = received.message
    check_syntax(request)
    uri = parse_request_uri(request.uri, received.is_in_dialog)
    if uri.headers and not (received.is_in_dialog or own.owns(uri)):  # nobody was to send them (§19.1.1)
        raise ParseError("Header Fields In The Request-URI", "Request-URI")
    hops = _max_forwards(request)
    _check_loop(received)
    _check_proxy_require(request)
    routing = Routing(request.uri, uri, _routes(received), hops - 1)
    _undo_strict_routing(routing, own, received.is_in_dialog)
    _take_maddr(routing, own)
    while routing.routes and own.owns(route := _route_uri(routing.routes[0])):
        del routing.routes[0]
        _take_own(routing, route)
    return routing


def parse_request_uri(text: str, is_in_dialog: bool = False) -> SipUri:
    """Return the Request-URI; `Refusal` 416 for a scheme that we do not speak (§16.3 step 2).

    Within a dialog it is what the peer wrote into Contact: whatever that let pass comes back (§12.2.1.1).
    """
    try:
        uri = parse_uri(text)
    except ParseError as error:
        if error.status == 416:
            raise Refusal(416) from error
        raise ParseError("Malformed Request-URI", "Request-URI") from error
    if is_in_dialog:
        return uri
    if uri.scheme != "sip":
        raise Refusal(416)
    if not uri.has_host:
        raise ParseError("Malformed Request-URI", "Request-URI")
    return uri


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


def _check_loop(received: Received) -> None:
    """§16.3 step 4, RFC 5393 §4.2: the same request again; or one that spirals without end."""
    if not received.passes:
        return
    end = f".{received.routing_hash}"
    if len(received.passes) > MOST_PASSES or [branch for branch in received.passes if branch.endswith(end)]:
        raise Refusal(482)


def _check_proxy_require(request: Message) -> None:
    if Header.PROXY_REQUIRE in request.numbers and (required := request.values(Header.PROXY_REQUIRE)):
        raise Refusal(420, headers=[("Unsupported", ", ".join(required))])


def _routes(received: Received) -> list[str]:
    """The Route values, bare URIs in brackets (§20.34).

    Within a dialog they are the Record-Route values of others, of which those lead nowhere that are no URI.
    """
    request = received.message
    if Header.ROUTE not in request.numbers:
        return []
    routes = [value if "<" in value else f"<{value}>" for value in request.values(Header.ROUTE)]
    return list(filter(_is_route, routes)) if received.is_in_dialog else routes


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
        routing.uri = _route_uri(routing.routes.pop())
        routing.text = str(routing.uri)
        _take_own(routing, uri)


def _take_own(routing: Routing, route: SipUri) -> None:
    routing.had_own_route = True
    routing.proof = route.param(PARAM) or routing.proof


def _take_maddr(routing: Routing, own: OwnDomains) -> None:
    maddr = routing.uri.param("maddr")
    if not maddr:
        return
    if own.is_listening_at(maddr, routing.uri.port or DEFAULT_PORT):
        routing.uri = routing.uri.without_params("maddr", "transport").replace(port=None)
        routing.text = str(routing.uri)


def _route_uri(value: str) -> SipUri:
    try:
        return parse_uri(uri_in(value))
    except ParseError as error:
        raise ParseError("Malformed Route", "Route") from error
