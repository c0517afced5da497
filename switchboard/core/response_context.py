"""The response context: the forks of one request, and the one final response that they end in (RFC 3261 §16.6-10).

Theory. A proxy sends one request to a set of targets and has to return one final response. The targets are in groups
of equal q. A group is sent at once (parallel forking); the next group follows when no branch of the group is pending
and none has succeeded (serial forking). Each branch is a client transaction and ends in a *final*: a response, or
one of our own for a timeout (408) or an unreachable target (503).

    provisional response     forwarded, except 100; it restarts Timer C
    2xx                      forwarded at once, each of them; the other branches are cancelled
    6xx                      the other branches are cancelled; the 6xx is forwarded when they have ended
    3xx                      its contacts become further targets, if `recurse` is on
    other finals             kept; when no branch is pending and no target is left, the best one is forwarded

A call that obeys rules of users has a plan (`stages.py`): then the targets are those of a stage, and when no branch is
pending and no target is left, the next stage begins, if one follows.

A CANCEL of the caller cancels the branches; each then ends in its own 487. The number of targets and the breadth are
limited, so that a request that comes back to us cannot multiply (RFC 5393).
"""

from collections.abc import Sequence
from functools import partial

from switchboard.auth.failures import Reason
from switchboard.core.branch import Branch, Final, best, gathered_challenges, restore_branch, with_challenges
from switchboard.core.call_notes import note, note_bye, note_success
from switchboard.core.call_plan import Callee, Why
from switchboard.core.commands import Fields, Led, ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.final_response import candidates, have_all_failed, must_not_pass
from switchboard.core.following import NOT_ANSWERED, enter, targets_of
from switchboard.core.forks import Forks
from switchboard.core.keeping import ARRIVED, KEPT, NOBODY_THERE, NOT_KEPT, SILENT_T1, delegated, tag_of
from switchboard.core.large_requests import unmoved
from switchboard.core.preprocess import Routing
from switchboard.core.record_route import answering_target, lead_to_callee, makes_dialog, target_answering
from switchboard.core.redirection import redirected_targets
from switchboard.core.request import IncomingRequest
from switchboard.core.server_transaction import InviteServerTransaction, ServerTransaction
from switchboard.core.stages import Stages
from switchboard.core.target import Target
from switchboard.core.targets import is_kept
from switchboard.core.trunk_masks import differs, unmasked
from switchboard.core.waiting_targets import WaitingTargets
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import build_response
from switchboard.sip.splice import strip_top_via, without_lines

_RINGING = (180, 183)
_ANSWERED_ELSEWHERE = (b'SIP;cause=200;text="Call completed elsewhere"',)


class ResponseContext(Forks):
    """Everything about one forwarded request: its branches, the targets still to try, what was sent back.

    `edition` grows with each group of branches, seldom after the first.
    """

    __slots__ = ("_answers", "_keeping", "_rang")

    def __init__(
        self, env: Environment, incoming: IncomingRequest, server: ServerTransaction, routing: Routing
    ) -> None:
        Forks.__init__(self, env, incoming, server, routing)
        self._rang = False
        self._answers: set[str] = set()
        self._keeping = NOT_KEPT

    @property
    def edition(self) -> int:
        """The number of changes of what `fixed` returns."""
        return self._edition + self._waiting.edition + (self._stages.edition if self._stages else 0)

    def fixed(self) -> Fields:
        """The request, the targets and the branches."""
        branches = [branch.fixed() for branch in self._branches]
        stages = [self._stages.saved()] if self._stages else []
        return self._received.saved(), self._routing.saved(), *self._waiting.saved(), *stages, branches

    def changing(self) -> Fields:
        """What `restore` needs besides, in another process of this machine."""
        whole = not self.server.is_finished
        branches = [branch.changing(whole) for branch in self._branches]
        more = (self._keeping,) if self._keeping else self._relayed.saved() if self._relayed else ()
        return self._cancelled, self._rang, list(self._answers), *more, branches

    def resume(self, effects: ProxyEffects) -> None:
        """Go on after a restart: names that were being resolved are asked for again."""
        for branch in self._branches:
            if branch.client is None and branch.final is None:
                self._resolve(branch, effects)
        if self._relayed:
            self._relayed.resume(lambda place: partial(self._take, self._branches[place]), effects)
        if self._keeping == KEPT:
            self._hand_over(480, effects)

    def repeat(self, effects: ProxyEffects) -> bool:
        """The request has come again: if it is a kept text, its sender has not heard so. False if it is none."""
        if not self._keeping or self.server.is_finished:
            return False
        if self._keeping == KEPT:
            self._hand_over(480, effects)
        else:
            request, top_via = self._received.message, self._received.completed_via
            raw = build_response(request, 202, "", tag_of(request), (), top_via)
            self.server.respond(202, raw, effects)
        return True

    def tidy(self, effects: ProxyEffects) -> None:
        """Nothing is to be relayed for branches that have failed."""
        if self._relayed:
            ended = [at for at, each in enumerate(self._branches) if each.final and each.final.status >= 300]
            self._relayed.tidy(ended, effects)

    def start(self, targets: list[Target], effects: ProxyEffects) -> None:
        """Send the request to the first group of `targets` (§16.6), or follow its plan."""
        effects.touch(self.server)
        self._add(targets)
        if self._stages:
            self._enter(self._stages, effects)
        self._settle(effects)

    def receive(self, branch: Branch, response: Message, effects: ProxyEffects) -> None:
        """Process a response that came on `branch` (§16.7); later, if its media is relayed."""
        effects.touch(self.server)
        if self._relayed is None:
            self._take(branch, response, effects)
        else:
            branch.armed.pop("N", None)
            if response.status < 200 and branch.final is None:
                branch.send_held_cancel(effects)  # now: an engine takes its time, or has the response dropped
            self._relayed.response(
                self._branches.index(branch), response, partial(self._take, branch), effects
            )

    def _take(self, branch: Branch, response: Message, effects: ProxyEffects) -> None:
        effects.touch(self.server)
        branch.armed.pop("N", None)
        if response.status < 200:
            self._receive_provisional(branch, response, effects)
            return
        if response.status == 503 and branch.client and self._may_move(branch):
            self._leave_busy(branch, branch.client, effects)
            return
        is_late = branch.final is not None
        if not is_late:
            trunk = self._trunk_asking(branch, response)
            final = (
                self._answer_provider(trunk, branch, response, effects) if trunk else _final(branch, response)
            )
            if final is None:
                return
            branch.end(final)
        if response.status < 300:
            self._succeed(branch, response, effects)
        elif not (is_late or self.server.is_finished):
            self._fail(branch, response, effects)

    def time_out(self, branch: Branch, effects: ProxyEffects) -> None:
        """Nobody answered on `branch` (timer B or F): as if it were a 408 (§16.7 step 1)."""
        effects.touch(self.server)
        if branch.final is None:
            branch.end(Final(408))
            self._settle(effects)

    def fire(self, branch: Branch, letter: str, effects: ProxyEffects) -> None:
        """Timer C gives `branch` up (§16.8), N its hop, S its stage; X waits no more for who was cancelled (§9.1)."""
        effects.touch(self.server)
        if letter in "NS":
            (self._move if letter == "N" else self._leave)(branch, effects)
            return
        if letter == "K":
            self._keep_unanswered(effects)
            return
        branch.given_up = True
        if letter == "C" and branch.client and branch.client.is_proceeding:
            branch.cancel(effects)
            return
        if branch.client:
            self._env.layer.abandon(branch.client)
        self.time_out(branch, effects)

    def lose_cancel(self, branch: Branch, tried: Flow, effects: ProxyEffects) -> None:
        """Its CANCEL did not leave over `tried`: it goes where the same contact is now, or nobody can hear it."""
        if "X" not in branch.armed:
            return
        effects.touch(self.server)
        target = branch.plan.target
        bounds = self._env.policy.locations.lookup(target.user, effects.at) if target.user else ()
        flows = [Flow.unpack(each.flow) for each in bounds if each.flow and each.contact == target.text]
        ways = [each for each in flows if each.connection and each.transport == tried.transport]
        if ways and tried not in ways:
            branch.cancel_over(ways[-1], effects)
        else:
            self.fire(branch, "X", effects)

    def may_be_cancelled_by(self, cancel: IncomingRequest) -> bool:
        """Whether a CANCEL comes from where its INVITE came, or shows the same credentials (§9.1, §22.1)."""
        invite, header = self._received, Header.PROXY_AUTHORIZATION
        if cancel.source.hop == invite.source.hop:
            return True
        if cancel.source.host == invite.source.host and invite.via.param("rport") is None:
            return True  # it sends from another port each time
        shown = cancel.message.all(header)
        return bool(shown) and shown == invite.message.all(header)

    def cancel(self, reasons: Sequence[bytes], effects: ProxyEffects, by: str = "") -> None:
        """The caller gave up (§16.10), or somebody of this name ended the call."""
        if self.server.is_finished:
            return
        effects.touch(self.server)
        self._cancelled = by or True
        self._cancel_rest(effects, reasons)
        self._settle(effects)

    def expect_ack(self, contact: str, since: float) -> None:
        """A 2xx with this Contact was passed on then (monotonic s), and its ACK has not come."""
        target = target_answering(contact, self._branches[0].plan.target)
        self._env.unconfirmed.await_ack(self._received.message, target, since)

    def _settle(self, effects: ProxyEffects) -> None:
        """When no branch is pending: try the next group, begin the next stage, or send the best response."""
        waiting = self._waiting
        while True:
            self._replace_failed(effects)
            if self._is_pending():
                return
            if waiting and not (waiting.are_spare and not have_all_failed(self._candidates())):
                self._start_group(waiting.take(self._routing.breadth), effects)
                continue
            waiting.clear()
            if self.server.is_finished or self._cancelled or not self._go_on(effects):
                self._send_best(effects)
                return

    def _replace_failed(self, effects: ProxyEffects) -> None:
        """Try other ways to callees of a stage to whom none has led, while the others ring."""
        stages = self._stages
        if stages is None or stages.is_late or self._cancelled or self.server.is_finished or self._waiting:
            return
        spares = stages.take_spares(self._branches)
        if spares and self._add(spares):
            self._start_group(self._waiting.take(self._routing.breadth), effects)

    def _go_on(self, effects: ProxyEffects) -> bool:
        """Begin the stage that follows; False if there is none."""
        stages = self._stages
        if stages is None or not stages.next(self._branches):
            return False
        self._enter(stages, effects)
        return True

    def _enter(self, stages: Stages, effects: ProxyEffects) -> None:
        enter(self._env, stages, self._received, self.server, effects)
        self._add(targets_of(self._env, stages, self._routing, effects.at))

    def _leave(self, late: Branch, effects: ProxyEffects) -> None:
        """The time of the stage is over: who has not answered rings no more."""
        if self._stages is None or self._cancelled or late.final:
            return
        self._waiting.clear()
        for branch in self._branches:
            branch.leave(effects, NOT_ANSWERED)
        self._stages.is_late = True
        self._settle(effects)

    def _watch(self, branch: Branch, effects: ProxyEffects) -> None:
        values, timers = self._env.layer.values, self._env.layer.timers
        if branch.is_invite:
            branch.watch(effects.now)
        elif self._received.method == "MESSAGE" and self._keeps_for():
            timers.arm(branch, "K", effects.now + SILENT_T1 * values.t1)
        if self._stages and self._stages.stage.limit_s:
            branch.ring_until(effects.now + self._stages.stage.limit_s)
        branch.watch_hop(effects.now)

    def _receive_provisional(self, branch: Branch, response: Message, effects: ProxyEffects) -> None:
        if branch.final is not None and branch.is_invite:
            branch.cancel_late(effects)
            return
        branch.send_held_cancel(effects)
        if response.status == 100 or not branch.is_invite:
            return
        branch.watch(effects.now)
        if not self.server.is_finished:
            self._note_ringing(response.status, effects)
            self._relay(response, effects, branch)

    def _succeed(self, branch: Branch, response: Message, effects: ProxyEffects) -> None:
        if self._keeping:
            self._keeping = ARRIVED
            self._hand_over(200, effects)
            return
        is_first = response.to_tag not in self._answers
        self._answers.add(response.to_tag)
        server = self.server
        if self._stages and isinstance(server, InviteServerTransaction) and server.has_failed:
            self._env.end_late(parse_message(self._as_passed_back(response, branch)), is_first, effects)
            return
        callee = self._stages.callee(branch.plan.target) if self._stages else Callee()
        if is_first:
            if callee.groups and callee.user:
                note(self._received, effects, "forwarded", callee.groups[0], callee.user, Why.TAKEN.value, 0)
            note_success(self._received, self.server.age_s(effects.now), response, effects)
        if self._received.begins_call:  # a repeated one, too: its ACK was lost
            target = answering_target(response, branch.plan.target)
            self._env.unconfirmed.await_ack(self._received.message, target, effects.now)
        if self._stages and self._env.policy.planner:
            self._env.policy.planner.turns.note_answer(callee.user, effects.at)
            effects.led.append(Led(response.call_id, callee.lamps))
        self._relay(response, effects, branch)
        self._cancel_rest(effects, _ANSWERED_ELSEWHERE)

    def _fail(self, branch: Branch, response: Message, effects: ProxyEffects) -> None:
        if response.status >= 600:
            self._cancel_callee(branch, effects)
        elif self._env.recurse and not self._cancelled and branch.final and not branch.given_up:
            targets = redirected_targets(response, self._env.policy, effects.at)
            branch.redirected = self._add(targets)
            self._waiting.note_leader(self._branches.index(branch), targets)
            if self._stages:
                self._stages.note_callee(targets, self._stages.place_of(branch.plan.target))
        self._settle(effects)

    def _cancel_callee(self, decliner: Branch, effects: ProxyEffects) -> None:
        """A 6xx speaks for its callee; without a plan, that is whom the whole request is for."""
        stages = self._stages
        if stages is None or len(stages.stage.callees) < 2:
            self._cancel_rest(effects)
            return
        place = stages.place_of(decliner.plan.target)
        for branch in self._branches:
            if stages.place_of(branch.plan.target) == place:
                branch.cancel(effects)

    def _cancel_rest(self, effects: ProxyEffects, reasons: Sequence[bytes] = ()) -> None:
        self._waiting.clear()
        for branch in self._branches:
            branch.cancel(effects, reasons)

    def _send_best(self, effects: ProxyEffects) -> None:
        if self.server.is_finished:
            return
        if self._keeping:
            return
        finals = self._candidates()
        if finals and self._keeps(finals, effects):
            return
        chosen = best(finals) if finals else self._unplanned or self._said_by_plan() or Final(487)
        if chosen.message is None or must_not_pass(chosen.status, self._received.method):
            self._answer_ourselves(chosen, effects)
            return
        by = self._canceller if self._cancelled and chosen.status == 487 else "callee"
        note(self._received, effects, "failed", chosen.status, by)
        note_bye(self._received, self.server.age_s(effects.now), chosen.status, effects)
        self._relay(with_challenges(chosen.message, gathered_challenges(chosen, finals)), effects)

    def _keeps_for(self) -> str:
        """The user for whom the text is kept if no phone takes it; "" if it is none, or nobody's of ours."""
        policy = self._env.policy
        if not (policy.keeps_messages and is_kept(self._received, self._routing)):
            return ""
        users = {branch.plan.target.user for branch in self._branches}
        called = policy.plain_user(self._routing.uri.username)
        return called if called in users else users.pop() if len(users) == 1 else ""

    def _keep_unanswered(self, effects: ProxyEffects) -> None:
        """Nobody has answered for long: the text is kept now, as its sender would not hear later."""
        if self._keeping or self._waiting or self.server.is_finished:
            return
        silent = [Final(408) for branch in self._branches if branch.final is None]
        self._keeps([*self._candidates(), *silent], effects)

    def _keeps(self, finals: Sequence[Final], effects: ProxyEffects) -> bool:
        """Whether the worker keeps the text, since nobody is there."""
        if self._keeps_for() and all(final.status in NOBODY_THERE for final in finals):
            self._keeping = KEPT
            self.server.armed.pop("T", None)  # the 100, which would be late
            self._hand_over(480, effects)
        return bool(self._keeping)

    def _hand_over(self, status: int, effects: ProxyEffects) -> None:
        found = delegated(self._env, self._received, self._routing, self._keeps_for(), status)
        effects.delegated.append(found)

    @property
    def _canceller(self) -> str:
        return self._cancelled if isinstance(self._cancelled, str) else "caller"

    def _candidates(self) -> list[Final]:
        since = self._stages.since(self._branches) if self._stages else 0
        return candidates(self._branches, since, self._waiting)

    def _said_by_plan(self) -> Final | None:
        """What its last stage says, in which nobody could be called."""
        stage = self._stages.stage if self._stages else None
        return Final(stage.status, None, stage.reason) if stage else None

    def _answer_ourselves(self, final: Final, effects: ProxyEffects) -> None:
        """Send a final of our own: 500 in place of a 503, nothing in place of a 408 that must not pass."""
        status, reason = final.status, final.why
        note_bye(self._received, self.server.age_s(effects.now), status, effects)
        if self._received.method == "REGISTER":
            self._env.policy.note_elsewhere(self._received, Reason.UNREACHED_DOMAIN)
        if self._cancelled:
            status, reason = 487, ""
        elif status == 503:
            status = 500
        elif must_not_pass(status, self._received.method):
            return
        note(self._received, effects, "failed", status, self._canceller if self._cancelled else "switchboard")
        request, top_via = self._received.message, self._received.completed_via
        warning = [("Warning", f'399 switchboard "{reason}"')] if reason else []
        raw = build_response(request, status, reason, self._env.make_tag(), warning, top_via)
        self.server.respond(status, raw, effects)

    def _relay(self, response: Message, effects: ProxyEffects, branch: Branch | None = None) -> None:
        """Pass a response back. `branch`: on which a dialog may have been made."""
        self.server.respond(response.status, self._as_passed_back(response, branch), effects)

    def _as_passed_back(self, response: Message, branch: Branch | None) -> bytes:
        """The response as the caller gets it (§16.7 steps 3, 8 and 9)."""
        policy = self._env.policy
        flow = branch.client.flow if branch is not None and branch.client is not None else None
        if flow is not None and (lines := policy.doubtful_lines(response, flow.host)):
            response = without_lines(response, lines)
        raw = strip_top_via(response)
        if branch is not None and flow is not None and makes_dialog(response):
            flow = unmoved(branch.plan, flow)
            raw = lead_to_callee(raw, response, self._received, branch.plan.target, flow, policy.seals)
        if policy.trunks is not None and differs(response, self._received.message):
            raw = unmasked(raw, self._received.message)
        return raw

    def _note_ringing(self, status: int, effects: ProxyEffects) -> None:
        if status in _RINGING and not self._rang:
            self._rang = True
            note(self._received, effects, "ringing")


def _final(branch: Branch, response: Message) -> Final:
    return Final(408) if branch.given_up and response.status >= 300 else Final(response.status, response)


def restore_context(
    env: Environment, server: ServerTransaction, fixed: Fields, changing: Fields, now: float
) -> ResponseContext:
    """Return the context that wrote this. `now`: when this process took over."""
    request, routing, groups, tried, led, *stages, branches = fixed
    cancelled, rang, answers, *more, changed = changing
    incoming = IncomingRequest.restore(request, env.policy.own)
    context = ResponseContext(env, incoming, server, Routing.restore(routing))
    context._waiting, context._answers = WaitingTargets.restore(groups, tried, led), set(answers)
    context._stages = Stages.restore(stages[0]) if stages else None
    context._cancelled, context._rang = cancelled, rang
    if more and isinstance(more[0], int):
        context._keeping = more[0]
    elif context._relayed:
        context._relayed.restore(more)
    for branch, change in zip(branches, changed, strict=True):
        context._branches.append(restore_branch(context, env.layer, branch, change, now))
    return context
