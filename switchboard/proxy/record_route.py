"""Our Record-Route (RFC 3261 §16.6 step 4, §16.7 step 8; RFC 5658): each side gets one that leads to the other.

What goes to the callee is sealed with where the caller is, since its request came from there. What goes back in a
response that makes a dialog is sealed with where the callee is, since it was reached there (`dialog_seal`). A
target refresh is recorded, too: a user agent that has lost its route set learns it anew (RFC 6665 §4.3 wants that
of every NOTIFY, which makes dialogs of its own).
"""

from typing import Final

from switchboard.proxy.dialog_seal import PARAM, DialogSeals, Side, address_named
from switchboard.proxy.received import Received
from switchboard.proxy.target import Target
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.scan import BODY_END
from switchboard.sip.translation import address_of, is_private, is_translated
from switchboard.sip.uri import SipUri, parse_uri
from switchboard.transaction.commands import Peer

_RECORDED: Final = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"))
_PARAM: Final = f";{PARAM}=".encode()
_ENDS_PARAM: Final = b";>,? \t\r\n"
_MOST_SEALS: Final = 8
"""So many are looked at in one response."""
_new = tuple.__new__


def is_recorded(method: str) -> bool:
    """Whether requests of this method make dialogs, or refresh their targets (RFC 3261 §12, RFC 3311, 6665)."""
    return method in _RECORDED


def makes_dialog(response: Message) -> bool:
    """Whether a response makes a dialog, or refreshes its target (RFC 3261 §12.1)."""
    return 100 < response.status < 300 and response.method in _RECORDED and bool(response.to_tag)


def record_routes(
    received: Received, target: Target, to: Peer, sent_by: tuple[str, int], seals: DialogSeals
) -> list[bytes]:
    """Return the values for a request to `to`: one, or one for each side that knows us by another address.

    `sent_by`: what the target knows us by, an IPv6 address in brackets. The target's side is on top (RFC 5658 §3).
    """
    outer, port = sent_by
    local = received.source.local
    inner = outer if "%" in local else _reference(local) or outer
    hosts = (outer,) if inner == outer else (outer, inner)
    side = _caller_side(received, target, to, seals)
    seal = seals.make(side, received.message.call_id, received.message.from_tag)
    return [f"<sip:{host}:{port};lr;{PARAM}={seal}>".encode() for host in hosts]


def lead_to_callee(
    raw: bytes, response: Message, received: Received, target: Target, peer: Peer, may_relay: bool,
    seals: DialogSeals,
) -> bytes:  # fmt: skip
    """Return `raw`, the `response` without our Via, with our Record-Route leading to the callee at `peer`.

    `may_relay`: whether the caller may follow the callee wherever it moves.
    """
    found = _seal_in(response, seals)
    if found is None:
        return raw
    old, text = found
    side = _callee_side(received, target, peer, text, may_relay, seals)
    head = response.headers_end - (response.index[BODY_END] - len(raw))
    new = seals.make(side, response.call_id, response.to_tag).encode()
    return raw[:head].replace(old, new) + raw[head:]


def _caller_side(received: Received, target: Target, to: Peer, seals: DialogSeals) -> Side:
    message, source = received.message, received.source
    text = _first_uri(
        message, Header.RECORD_ROUTE if Header.RECORD_ROUTE in message.numbers else Header.CONTACT
    )
    uri = _parsed(text)
    flow, by_flow, by_name = source, True, False
    if uri is not None and not received.owns(uri):
        host, port = address_named(uri)
        if not is_translated(uri.host, received.via.host, source.host):
            by_name = address_of(host) is None
            by_flow = False
            if not by_name:
                flow = _new(Peer, (host, port, source.local if host == source.host else ""))
    owner = seals.user(received.caller)
    sums = seals.target_of(uri, text), seals.host(to.host), owner
    return _new(Side, (flow, *sums, True, by_flow, by_name, bool(target.user)))


def _callee_side(
    received: Received, target: Target, peer: Peer, text: str, may_relay: bool, seals: DialogSeals
) -> Side:
    uri = _parsed(text)
    flow, by_flow, by_name = peer, True, False
    if not (uri is None or received.owns(uri) or _is_behind(uri, target, peer)):
        by_flow = False
        host, port = address_named(uri)
        by_name = address_of(host) is None
        if not by_name and (host, port) != address_named(target.uri):
            flow = _new(Peer, (host, port, peer.local if host == peer.host else ""))
    sums = seals.target_of(uri, text), seals.host(received.source.host), seals.user(target.user)
    return _new(Side, (flow, *sums, False, by_flow, by_name, may_relay))


def _is_behind(uri: SipUri, target: Target, peer: Peer) -> bool:
    """Whether a callee who was reached at `peer` is reached nowhere else, whatever its Contact `uri` names."""
    if target.next_hop and (uri.host == target.uri.host or is_private(uri.host)):
        return uri.host != peer.host
    return is_translated(uri.host, "", peer.host)


def _first_uri(message: Message, header: Header) -> str:
    """The URI of the first value of Contact or Record-Route; as it stands if it is none."""
    text = message.get(header) or ""
    try:
        return uri_in(text)
    except ParseError:
        pass
    try:
        return uri_in(message.values(header)[0])
    except (ParseError, IndexError):
        return text


def _seal_in(response: Message, seals: DialogSeals) -> tuple[bytes, str] | None:
    """Our seal that leads to the caller, the one on top, and the URI that a request has behind our Route.

    That is the Record-Route of the next proxy, above ours, or else the callee's Contact.
    """
    if Header.RECORD_ROUTE not in response.numbers:
        return None
    raw, end = response.raw, response.headers_end
    start = response.value_span(Header.RECORD_ROUTE)[0]
    at = start
    for _ in range(_MOST_SEALS):
        at = raw.find(_PARAM, at, end)
        if at < 0:
            return None
        at += len(_PARAM)
        seal = _value_at(raw, at, end)
        side = seals.read(seal.decode("ascii", "replace"), response.call_id, response.from_tag)
        if side is not None and side.is_caller:
            return seal, _uri_behind(response, seal, raw[start:at])
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
    try:
        return parse_uri(text)
    except ParseError:
        return None


def _reference(host: str) -> str:
    return f"[{host}]" if ":" in host else host
