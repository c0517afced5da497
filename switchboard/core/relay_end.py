"""Ends a dialog whose media cannot be relayed any more, since its sides would not hear each other (RFC 3261 §15).

Theory. One side hears it from the final response to its request: 481 to one in a dialog, which ends that (§12.2.1.2),
or a refusal of its call. The other side gets the BYE that this side would write (`hanging_up.py`). If it has accepted
already, the ACK for its 2xx goes before (§13.2.2.4), so that it does not repeat that.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.forwarding import Plan, compose, plan
from switchboard.core.hanging_up import NOWHERE, hang_up, routing_of
from switchboard.core.preprocess import Routing
from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message

REASON: Final = b'Reason: SIP;cause=488;text="The media cannot be relayed"'


def end_dialog(env: Environment, request: Message, response: Message | None, effects: ProxyEffects) -> None:
    """End the dialog of a `request` at the side that it is for; `response`: the 2xx by which that has accepted it."""
    try:
        if response is not None and response.method == "INVITE":
            _confirm(env, parse_message(request_of(request, response, "ACK")), effects)
        hang_up(env, parse_message(request_of(request, response, "BYE")), effects)
    except ParseError:
        return  # what no side can write leads nowhere


def request_of(request: Message, response: Message | None, method: str) -> bytes:
    """Return the ACK or the BYE that the sender of `request` would write (§12.2.1.1)."""
    uri, routes = request.uri, request.values(Header.ROUTE)
    if response is not None and not request.to_tag:
        uri = uri_in(response.get(Header.CONTACT) or "")
        routes = response.values(Header.RECORD_ROUTE)[::-1]
    number = request.cseq[0] + (method != "ACK")
    told = response or request
    lines = [
        f"{method} {uri} SIP/2.0".encode("utf-8", "surrogateescape"),
        b"Via: SIP/2.0/UDP switchboard.invalid;branch=z9hG4bK%d" % number,
        *_route_lines(routes),
        b"From: " + (told.value(Header.FROM) or b""),
        b"To: " + (told.value(Header.TO) or b""),
        b"Call-ID: " + (told.value(Header.CALL_ID) or b""),
        f"CSeq: {number} {method}".encode(),
        b"Max-Forwards: 70",
        *([REASON] if method == "BYE" else []),
        b"Content-Length: 0",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _route_lines(routes: Sequence[str]) -> list[bytes]:
    return [b"Route: " + ", ".join(routes).encode("utf-8", "surrogateescape")] if routes else []


def _confirm(env: Environment, ack: Message, effects: ProxyEffects) -> None:
    incoming = IncomingRequest(ack, NOWHERE, env.policy.own)
    try:
        routing = routing_of(incoming, env, effects.at)
        if routing is None:
            return
        found = plan(routing, env.policy.select(incoming, routing, effects.at)[0], env.policy.own)
    except (ParseError, Refusal):
        return
    env.with_flow(found, incoming.source.host, partial(_send, env, incoming, found, routing), effects)


def _send(
    env: Environment,
    incoming: IncomingRequest,
    found: Plan,
    routing: Routing,
    flow: Flow | None,
    effects: ProxyEffects,
) -> None:
    if flow is not None:
        branch = env.branches.stateless(incoming.via, incoming.routing_hash)
        effects.send_request(flow, compose(incoming, found, routing, branch, flow, env.policy))
