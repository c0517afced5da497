"""Ends a call on the operator's behalf: BYE within a dialog, CANCEL of an INVITE (RFC 3261 §9, §12.2, §15).

Theory. A proxy keeps no dialogs, but whoever has the messages of a call can write the BYE that a user agent at one side
would write: its tags, a CSeq number above all that were used, Request-URI and route set (§12.2.1.1). The router leads
this BYE as it leads any request of that side, along the flow that is sealed in our Record-Route (`dialog_routing.py`).
So address translation and contacts that have moved need no rule here, and no state of the call is needed. The Route
values of proxies between that side and us are left out.

The client transaction of the BYE stands alone, like that of a CANCEL. Its final response ends the call for the journal.
If a media engine is to tell what it has relayed, it is asked first, since a record that has ended takes nothing more;
the BYE leaves when it has answered, or as a retransmission. A ringing call ends as if its caller had sent a CANCEL:
the response context cancels the branches, and the server transaction sends the 487.
"""

from functools import partial
from typing import Final

from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import CallEvent, ProxyEffects
from switchboard.core.dialog_routing import follow
from switchboard.core.environment import Environment
from switchboard.core.forwarding import LARGEST_SENT, Plan, compose, plan
from switchboard.core.preprocess import Routing, preprocess, take_own_routes
from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.core.response_context import ResponseContext
from switchboard.sip.dispatch import server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.message import Message, parse_message

OPERATOR: Final = "operator"
TEXT: Final = "Ended by the operator"
"""The text of Reason (RFC 3326) in the BYE and the CANCEL; the history knows them by it."""
BYE_REASON: Final = f'SIP;cause=200;text="{TEXT}"'
CANCEL_REASON: Final = f'SIP;cause=487;text="{TEXT}"'
NOT_HERE: Final = "this router has no such INVITE, or it was answered already"

_NOWHERE: Final = Flow(UDP, "", "", 0)


def cancel_invite(env: Environment, cancel: Message, effects: ProxyEffects) -> str:
    """Cancel the INVITE that the caller's CANCEL would cancel (§9.1); return why not, "" if it is cancelled."""
    invite = env.layer.find_server(server_key(cancel, cancel.via, "INVITE"))
    context = invite.user if invite and not invite.is_finished else None
    if not isinstance(context, ResponseContext):
        return NOT_HERE
    context.cancel([CANCEL_REASON.encode()], effects, OPERATOR)
    return ""


def hang_up(env: Environment, bye: Message, effects: ProxyEffects, *, counts: bool = False) -> str:
    """Send the BYE of one side of a dialog to the other side; return why not, "" if it is sent.

    `counts`: if the media is relayed, the record is to have what came from each side.
    """
    return _send_for(env, bye, effects, counts)


def acknowledge(env: Environment, ack: Message, effects: ProxyEffects) -> None:
    """Send the ACK of one side for a 2xx of the other one, without state (§13.2.2.4), if there is a way to it."""
    _send_for(env, ack, effects)


def note_end(client: ClientTransaction, status: int, effects: ProxyEffects) -> None:
    """A request of ours that stands alone has its final response: a BYE ends the call (§15.1.1)."""
    if client.key[1] != "BYE":
        return
    bye = parse_message(client.raw)
    details = bye.from_tag, bye.to_tag, status, OPERATOR
    effects.events.append(CallEvent("bye", bye.call_id, bye.from_tag, effects.at, details))


def _routing_of(incoming: IncomingRequest, env: Environment, at: float) -> Routing | None:
    """A request of one side's on its way, as if it came from where its side is; None if no seal leads it."""
    own, message = env.policy.own, incoming.message
    routing = preprocess(incoming, own)
    while routing.routes and not routing.seal:
        del routing.routes[0]
        take_own_routes(routing, own)
    sides = env.policy.seals.lead(routing.seal, message.call_id, message.from_tag, message.to_tag)
    if sides is None:
        return None
    incoming.source = sides[1].flow
    follow(env.policy, incoming, routing, at)
    return routing if routing.is_led else None


def _send_for(env: Environment, request: Message, effects: ProxyEffects, counts: bool = False) -> str:
    """Send what one side of a dialog would write; return why not, "" if it is sent."""
    incoming = IncomingRequest(request, _NOWHERE, env.policy.own)
    try:
        routing = _routing_of(incoming, env, effects.at)
        if routing is None:
            return "its Route is not ours: the phones speak past the switchboard"
        found = plan(routing, env.policy.select(incoming, routing, effects.at)[0], env.policy.own)
    except (ParseError, Refusal) as error:
        return f"there is no way to it ({error.status})"
    send = partial(_send, env, incoming, found, routing, counts)
    return env.with_flow(found, incoming.source.host, send, effects) or ""


def _send(
    env: Environment,
    incoming: IncomingRequest,
    found: Plan,
    routing: Routing,
    counts: bool,
    flow: Flow | None,
    effects: ProxyEffects,
) -> str:
    if flow is None or env.policy.own.is_listening_at(flow.host, flow.port):
        return "its address cannot be reached"
    branches, routed = env.branches, incoming.routing_hash
    is_ack = incoming.method == "ACK"
    branch = branches.stateless(incoming.via, routed) if is_ack else branches.next(routed)
    raw = compose(incoming, found, routing, branch, flow, env.policy)
    if len(raw) > LARGEST_SENT:
        return f"the {incoming.method} would be too long"
    if is_ack:
        effects.send_request(flow, raw)
        return ""
    mark = env.relays.mark_in(routing.mark, incoming.message) if env.relays is not None else None
    waits = counts and mark is not None
    client = env.layer.open_client(branch, incoming.method, flow, raw, None, effects, waits=waits)
    if env.relays is not None and mark is not None:
        then = (lambda _, effects: client.repeat(effects)) if waits else None
        env.relays.delete(incoming.message, mark, effects, then=then)
    return ""
