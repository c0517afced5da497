"""How a call follows its plan: what a stage begins with, and what its requests say (RFC 3261 §21.1.3, RFC 7044)."""

from typing import Final

from switchboard.core.branch import Branch
from switchboard.core.call_notes import note
from switchboard.core.commands import Led, ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.history_info import diversion_lines, history_lines
from switchboard.core.preprocess import Routing
from switchboard.core.request import IncomingRequest
from switchboard.core.server_transaction import ServerTransaction
from switchboard.core.stages import Stages
from switchboard.core.target import Target
from switchboard.sip.headers import Header
from switchboard.sip.respond import build_response
from switchboard.sip.uri import format_host_port

NOT_ANSWERED: Final = (b'SIP;cause=408;text="Not answered in time"',)
"""The Reason of the CANCEL for who has rung long enough."""


def enter(
    env: Environment,
    stages: Stages,
    incoming: IncomingRequest,
    server: ServerTransaction,
    effects: ProxyEffects,
) -> None:
    """A stage begins: the journal and the caller are told of the forwards that have led to it."""
    stage = stages.stage
    lamps = dict.fromkeys(lamp for callee in stage.callees for lamp in callee.lamps)
    effects.led.append(Led(incoming.message.call_id, tuple(lamps)))
    forwards = stage.forwards[-stage.fresh :] if stage.fresh else ()
    for forward in forwards:
        note(incoming, effects, "forwarded", forward.by, forward.to, str(forward.why), forward.after_s)
    if forwards and stage.callees and "100rel" not in _required(incoming):
        raw = build_response(incoming.message, 181, "", env.make_tag(), (), incoming.completed_via)
        server.respond(181, raw, effects)


def targets_of(env: Environment, stages: Stages, routing: Routing, at: float) -> list[Target]:
    """Where the callees of the stage are now; all at once, if there are several. `at`: epoch s."""
    callees, found = stages.stage.callees, []
    for place, callee in enumerate(callees):
        targets = env.policy.targets_of(callee.user, callee.uris, routing, at)
        if len(callees) > 1:
            stages.keep_spares(place, [target._replace(q=1.0) for target in targets if target.is_spare])
            targets = [target._replace(q=1.0) for target in targets if not target.is_spare]
        stages.note_callee(targets, place)
        found += targets
    return found


def added_lines(
    incoming: IncomingRequest, routing: Routing, stages: Stages, branch: Branch, diverts: bool
) -> list[bytes]:
    """What the copy for a branch says of the forwards. `diverts`: whether outside in Diversion, too."""
    forwards, target = stages.stage.forwards, branch.plan.target
    if not forwards:
        return []
    user = stages.callee(target).user
    lines = history_lines(incoming.message, stages.stage, user, target)
    if diverts and not user:
        lines += diversion_lines(incoming.message, format_host_port(routing.uri), forwards)
    return lines


def _required(incoming: IncomingRequest) -> list[str]:
    """What the caller requires: with 100rel we may send no provisional response of our own (RFC 3262 §3)."""
    return incoming.message.values(Header.REQUIRE)
