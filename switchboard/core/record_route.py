"""Our Record-Route (RFC 3261 §16.6 step 4, §16.7 step 8; RFC 5658), and the flows that it seals (`dialog_seal`).

Theory. When a request creates a dialog, its source and its destination are known, so both flows are sealed in it.
The seal becomes wrong if the callee answers with a Contact at another address, or if another proxy has recorded
itself in between. Then it is replaced in the response. A target refresh is recorded, too, so that a user agent that
has lost its route set learns it again. RFC 6665 §4.3 requires the same of every NOTIFY, which creates dialogs of its
own.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from switchboard.core.dialog_seal import PARAM, DialogSeals, Side, Sides
from switchboard.core.domains import OwnDomains
from switchboard.core.place import address_named, transport_of
from switchboard.core.request import IncomingRequest
from switchboard.core.target import NOBODY, Target, uri_of
from switchboard.sip.address import split_values, uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.fields import text_of
from switchboard.sip.flow import TCP, TLS, UDP, WS, WSS, Flow, bracketed, default_port, is_secure
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.scan import BODY_END
from switchboard.sip.translation import address_of, is_private, is_translated
from switchboard.sip.uri import SipUri

_RECORD_ROUTE: Final = int(Header.RECORD_ROUTE)
_CONTACT: Final = int(Header.CONTACT)
_CONTACT_FIELD: Final = Header.CONTACT
_RECORD_ROUTE_FIELD: Final = Header.RECORD_ROUTE
_REMEMBERED: Final = 4096
_REMEMBERED_LENGTH: Final = 256
_RECORDED: Final = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"))
_PARAM: Final = f";{PARAM}=".encode()
_ENDS_PARAM: Final = b";>,? \t\r\n"
_NAMED: Final = {TCP: "tcp", TLS: "tls", WS: "ws", WSS: "ws"}
"""The parameter `transport` (RFC 3261 §19.1.1, RFC 7118 §5.2); TLS as phones write it."""
_MOST_SEALS: Final = 8
"""Record-Routes that are examined in one response."""
_new = tuple.__new__


def is_recorded(method: str) -> bool:
    """Whether requests of this method make dialogs, or refresh their targets (RFC 3261 §12, RFC 3311, 6665)."""
    return method in _RECORDED


def record_routes(
    incoming: IncomingRequest,
    target: Target,
    routes: Sequence[str],
    to: Flow,
    own: OwnDomains,
    seals: DialogSeals,
    may_relay: bool,
    mask: str = "",
) -> list[bytes]:
    """Return the values for a request to `to`: one, or one for each side that reaches us in another way.

    The target's side is on top (RFC 5658 §3). `routes`: what is left of Route. `may_relay`: whether the caller may
    follow the callee wherever it moves. `mask`: a parameter to stand behind the seal (`trunk_masks`).
    """
    outer, source = bracketed(to.local), incoming.source
    inner = outer if "%" in source.local else bracketed(source.local) or outer
    scheme = uri_of(incoming.message.uri).scheme
    places = place_of(scheme, outer, to.transport, own), place_of(scheme, inner, source.transport, own)
    caller = caller_side(incoming, seals, may_relay)
    sides = _new(Sides, (caller, first_callee_side(target, routes, to, seals, own)))
    seal = seals.make(sides, incoming.message.call_id, incoming.message.from_tag)
    return [f"<{place};lr;{PARAM}={seal}{mask}>".encode() for place in dict.fromkeys(places)]


def place_of(scheme: str, host: str, transport: int, own: OwnDomains) -> str:
    """How a side names us in its Route: no word of what is meant by default; `sips` for `sips` (§16.6 step 4)."""
    place = f"{host}:{own.port_of(transport)}"
    if scheme == "sips" and is_secure(transport):
        return f"sips:{place}" if transport == TLS else f"sips:{place};transport={_NAMED[transport]}"
    return f"sip:{place}" if transport == UDP else f"sip:{place};transport={_NAMED[transport]}"


def makes_dialog(response: Message) -> bool:
    """Whether a response makes a dialog, or refreshes its target (RFC 3261 §12.1)."""
    return 100 < response.status < 300 and response.method in _RECORDED and bool(response.to_tag)


def answering_target(response: Message, target: Target) -> Target:
    """Return where a callee who was called at `target` is, by the Contact of its answer."""
    return target_answering(text_of(response.value(_CONTACT) or b""), target)


def target_answering(contact: str, target: Target) -> Target:
    """The same by the value of that Contact."""
    if contact[1:-1] == target.text:
        return target
    text = _first_uri_in(contact)
    uri = _parsed(text)
    if uri is None or target.flows or address_named(uri) == address_named(target.uri):
        return target._replace(text=text)
    return Target(text, uri)


def lead_to_callee(
    raw: bytes, response: Message, incoming: IncomingRequest, target: Target, flow: Flow, seals: DialogSeals
) -> bytes:
    """Return `raw`, the `response` without our Via, with a seal that knows where the callee at `flow` is now.

    It is `raw` itself if the callee is where the request was sent.
    """
    if _RECORD_ROUTE not in response.numbers or _is_where_expected(response, target):
        return raw
    found = _seal_in(response, caller_side(incoming, seals, False), seals)
    if found is None:
        return raw
    old, sides, text = found
    side = _callee_side(incoming.own, target, flow, text, seals)
    head = response.headers_end - (response.index[BODY_END] - len(raw))
    new = seals.make(Sides(sides.caller, side), response.call_id, response.from_tag).encode()
    return raw[:head].replace(old, new) + raw[head:]


def _is_where_expected(response: Message, target: Target) -> bool:
    """Whether nobody else has recorded a route, and Contact, if there is one, names the address called."""
    if not _is_ours_alone(response):
        return False
    contact = response.get(_CONTACT_FIELD)
    if not contact or contact[1:-1] == target.text:  # as most write it, in brackets
        return True
    return _is_at(_first_uri(response, _CONTACT_FIELD), target.text)


def _is_ours_alone(response: Message) -> bool:
    """Whether our Record-Route is the only one there; or two are, in one field or two, and bear one seal (RFC 5658)."""
    if response.numbers.count(_RECORD_ROUTE) == 1:
        start, end = response.value_span(_RECORD_ROUTE)
        if response.raw.find(b",", start, end) < 0:
            return True
    values = response.all(_RECORD_ROUTE_FIELD)
    if len(values) == 1:
        values = values[0].split(",")
    seals = {value.partition(f";lr;{PARAM}=")[2] for value in values}
    return len(values) == 2 and len(seals) == 1 and "" not in seals and "," not in "".join(values)


def names_place(contact: str, target: str) -> bool:
    """Whether the value of a Contact names the address of the URI `target`."""
    return _is_at(_first_uri_in(contact), target)


def _is_at(text: str, target: str) -> bool:
    if max(len(text), len(target)) > _REMEMBERED_LENGTH:
        return _names_same_place(text, target)
    return _names_same_place_cached(text, target)


@lru_cache(_REMEMBERED)
def _names_same_place_cached(text: str, other: str) -> bool:
    return _names_same_place(text, other)


def _names_same_place(text: str, other: str) -> bool:
    """Whether two URIs are sent to the same address; False for what is none."""
    one, two = _parsed(text), _parsed(other)
    return one is not None and two is not None and address_named(one) == address_named(two)


def caller_side(incoming: IncomingRequest, seals: DialogSeals, may_relay: bool) -> Side:
    """Return the caller as it names itself. `may_relay`: whether it may follow the callee wherever that moves."""
    message, source = incoming.message, incoming.source
    is_passed_on = Header.RECORD_ROUTE in message.numbers
    text = _first_uri(message, Header.RECORD_ROUTE if is_passed_on else Header.CONTACT)
    make = _caller_side_at if len(text) <= _REMEMBERED_LENGTH else _make_caller_side
    return make(text, incoming.via.host, source, incoming.caller, may_relay, incoming.own, seals)


def _make_caller_side(
    text: str, via: str, source: Flow, user: str, may_relay: bool, own: OwnDomains, seals: DialogSeals
) -> Side:
    """The caller as it names itself by the URI `text`, and by the host of its Via."""
    uri = _parsed(text)
    sums = seals.target_of(uri, text), seals.user(user)
    if uri is None or own.owns(uri) or source.connection or is_translated(uri.host, via, source.host):
        return _new(Side, (source, *sums, True, False, may_relay, False))
    return _side_at(uri, source, sums, may_relay, own)


_caller_side_at = lru_cache(_REMEMBERED)(_make_caller_side)


def first_callee_side(
    target: Target, routes: Sequence[str], to: Flow, seals: DialogSeals, own: OwnDomains
) -> Side:
    """Where the callee is as far as is known when it is called: at its contact, or over the flow that leads there."""
    sums = seals.target_of(target.uri, target.text), seals.user(target.user)
    may_follow = bool(target.user)
    if to.connection:
        return _new(Side, (to, *sums, True, False, may_follow, False))
    if target.next_hop or not target.uri.has_host:
        return _new(Side, (to, *sums, target.uri.host.strip("[]") != to.host, False, may_follow, False))
    if routes:
        return _side_at(target.uri, to, sums, may_follow, own)
    is_named = address_of(address_named(target.uri)[0]) is None
    return _new(Side, (to, *sums, False, is_named, may_follow, is_named and not may_follow))


def outside_side(contact: str, flow: Flow, seals: DialogSeals, own: OwnDomains) -> Side:
    """The same when it has answered with this value of a Contact, if it is nobody of ours and was called by its URI."""
    return _callee_side(own, Target("", NOBODY), flow, _first_uri_in(contact), seals)


def _callee_side(own: OwnDomains, target: Target, flow: Flow, text: str, seals: DialogSeals) -> Side:
    uri = _parsed(text)
    sums = seals.target_of(uri, text), seals.user(target.user)
    may_follow = bool(target.user)
    if uri is None or flow.connection or own.owns(uri) or _is_behind(uri, target, flow):
        return _new(Side, (flow, *sums, True, False, may_follow, False))
    return _side_at(uri, flow, sums, may_follow, own)


def _side_at(uri: SipUri, known: Flow, sums: tuple[bytes, bytes], may_follow: bool, own: OwnDomains) -> Side:
    """The side at the address that `uri` names. `known`: its flow so far; `sums`: its target and owner."""
    host, port = address_named(uri)
    transport = transport_of(uri)
    if transport not in own.dialled or (transport == UDP and uri.param("transport") is None):
        transport = known.transport
        port = default_port(transport) if uri.port is None else uri.port
    if port == 0 or is_translated(host, "", known.host):  # as its Contact's maddr or port tells
        return _new(Side, (known, *sums, True, False, may_follow, False))
    if address_of(host) is None:
        return _new(Side, (known, *sums, False, True, may_follow, not may_follow))
    is_claimed = host != known.host
    flow = _new(Flow, (transport, "" if is_claimed else known.local, host, port, b""))
    return _new(Side, (flow, *sums, False, False, may_follow, is_claimed and not may_follow))


def _is_behind(uri: SipUri, target: Target, flow: Flow) -> bool:
    """Whether a callee who was reached at `flow` is reached nowhere else, whatever its Contact `uri` names."""
    if target.next_hop and (uri.host == target.uri.host or is_private(uri.host)):
        return uri.host != flow.host
    return is_translated(uri.host, "", flow.host)


def _first_uri(message: Message, header: Header) -> str:
    """The URI of the first value of Contact or Record-Route; as it stands if it is none."""
    return _first_uri_in(message.get(header) or "")


def _first_uri_in(text: str) -> str:
    if not text:
        return ""
    try:
        return uri_in(text)
    except ParseError:
        pass
    try:
        return uri_in(next(filter(None, split_values(text))))
    except (ParseError, StopIteration):
        return text


def _seal_in(response: Message, caller: Side, seals: DialogSeals) -> tuple[bytes, Sides, str] | None:
    """Our seal for this `caller`, what it tells, and the URI that a request has behind our Route.

    That is the Record-Route of the next proxy, above ours, or else the callee's Contact.
    """
    raw, end = response.raw, response.headers_end
    start = at = response.value_span(Header.RECORD_ROUTE)[0]
    for _ in range(_MOST_SEALS):
        at = raw.find(_PARAM, at, end)
        if at < 0:
            return None
        at += len(_PARAM)
        seal = _value_at(raw, at, end)
        sides = seals.read(seal.decode("ascii", "replace"), response.call_id, response.from_tag)
        if sides is not None and sides.caller[:3] == caller[:3]:  # another is of an earlier or later pass
            return seal, sides, _uri_behind(response, seal, raw[start:at])
    return None


def _uri_behind(response: Message, seal: bytes, above: bytes) -> str:
    if b"," not in above and b"\n" not in above:
        return _first_uri(response, Header.CONTACT)
    text = seal.decode()
    values = response.values(Header.RECORD_ROUTE)
    ours = next((place for place, value in enumerate(values) if text in value), 0)
    return uri_in(values[ours - 1]) if ours else _first_uri(response, Header.CONTACT)


def _value_at(raw: bytes, start: int, end: int) -> bytes:
    at = start
    while at < end and raw[at] not in _ENDS_PARAM:
        at += 1
    return raw[start:at]


def _parsed(text: str) -> SipUri | None:
    """The URI; None if it names no place."""
    uri = uri_of(text) if text else NOBODY
    return uri if uri.has_host else None
