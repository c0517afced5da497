"""Ends a dialog with a callee who answers when the call has failed already: ACK and BYE (RFC 3261 §13.2.2.4, §15).

A 2xx that crosses the CANCEL of a stage whose time was over, the last one, meets a caller who has heard a failure and
waits no more. The callee would hear nothing for 64 · T1, until its own phone gives up. The switchboard writes what the
caller would: it has all of the dialog in the 2xx, and our Record-Route there leads both requests (`hanging_up.py`).
"""

from functools import partial
from typing import Final

from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.forwarding import LARGEST_SENT, Plan, compose, plan
from switchboard.core.hanging_up import NOWHERE, hang_up, routing_of
from switchboard.core.preprocess import Routing
from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.sip.address import uri_in
from switchboard.sip.dispatch import BRANCH_PREFIX
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message

_REASON: Final = 'Reason: SIP;cause=487;text="Nobody waits for the answer any more"'


def end_late(env: Environment, accepted: Message, is_first: bool, effects: ProxyEffects) -> None:
    """Acknowledge a 2xx as the caller would get it, and hang up if it has not come before."""
    try:
        ack = _request(accepted, "ACK", accepted.cseq[0])
        incoming = IncomingRequest(ack, NOWHERE, env.policy.own)
        routing = routing_of(incoming, env, effects.at)
        if routing is None:
            return
        found = plan(routing, env.policy.select(incoming, routing, effects.at)[0], env.policy.own)
    except (ParseError, Refusal):
        return
    env.with_flow(found, incoming.source.host, partial(_send_ack, env, incoming, found, routing), effects)
    if is_first:
        hang_up(env, _request(accepted, "BYE", accepted.cseq[0] + 1, _REASON), effects)


def _send_ack(
    env: Environment,
    incoming: IncomingRequest,
    found: Plan,
    routing: Routing,
    flow: Flow | None,
    effects: ProxyEffects,
) -> None:
    if flow is None or env.policy.own.is_listening_at(flow.host, flow.port):
        return
    branch = env.branches.next(incoming.routing_hash)
    raw = compose(incoming, found, routing, branch, flow, env.policy)
    if len(raw) <= LARGEST_SENT:
        effects.send_request(flow, raw)


def _request(accepted: Message, method: str, number: int, *lines: str) -> Message:
    """A request of the caller in the dialog that the 2xx makes (§12.2.1.1). ParseError."""
    contact = uri_in(accepted.get(Header.CONTACT) or "")
    head = [
        f"{method} {contact} SIP/2.0",
        f"Via: SIP/2.0/UDP here.invalid;branch={BRANCH_PREFIX}late",
        *(f"Route: {each}" for each in reversed(accepted.values(Header.RECORD_ROUTE))),
        f"From: {accepted.get(Header.FROM)}",
        f"To: {accepted.get(Header.TO)}",
        f"Call-ID: {accepted.call_id}",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
        *lines,
        "Content-Length: 0",
    ]
    return parse_message(("\r\n".join(head) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
