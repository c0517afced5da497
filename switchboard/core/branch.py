"""A branch of a response context, and the choice of the best response (RFC 3261 §16.6-7).

Theory. The best final response is a 6xx if there is one, else one of the lowest class; within a class responses that
let the caller try again with more information (401, 407, 415, 420, 484) are preferred (step 6). If a 401 or 407 is
chosen, the challenges of all other 401s and 407s are added to it (step 7).

A branch is cancelled only after a provisional response: a CANCEL may overtake its INVITE, and would then find
nothing to cancel (§9.1). Until then the wish is kept.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import Fields, NextHop, TransactionEffects
from switchboard.core.forwarding import Plan, literal_hop
from switchboard.core.next_hops import SILENT_T1, restored
from switchboard.core.timers import Waiting
from switchboard.core.transactions import TransactionLayer
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import add_lines, make_cancel

STATUS_FIELD = 4
"""Where in the changing fields of a branch the status of its final response is."""
_LARGEST = 65_000
_PREFERRED = (401, 407, 415, 420, 484)
_CHALLENGES = {401: Header.WWW_AUTHENTICATE, 407: Header.PROXY_AUTHENTICATE}


class Final(NamedTuple):
    """A branch's final response; `message` is None for one that we made up (timeout, unreachable).

    `why`: for people, besides its status.
    """

    status: int
    message: Message | None = None
    why: str = ""


def best(finals: Sequence[Final]) -> Final:
    """Return the one to forward: a 6xx if there is any, else one of the lowest class (step 6)."""
    return min(finals, key=_rank)


def _rank(final: Final) -> tuple[int, int, bool, bool]:
    kind = final.status // 100
    preferred = _PREFERRED.index(final.status) if final.status in _PREFERRED else len(_PREFERRED)
    return (0 if kind == 6 else kind, preferred, not final.why, final.message is None)


def gathered_challenges(chosen: Final, finals: Iterable[Final]) -> list[bytes]:
    """Return the challenge lines of the other 401s and 407s, to be added to `chosen` (step 7)."""
    if chosen.status not in _CHALLENGES:
        return []
    return [
        line for final in finals if final is not chosen and final.message for line in _lines(final.message)
    ]


def with_challenges(response: Message, lines: Sequence[bytes]) -> Message:
    """Return `response` with the challenge `lines` added; without them if no datagram could hold it."""
    raw = add_lines(response, lines) if lines else b""
    return parse_message(raw) if 0 < len(raw) <= _LARGEST else response


def _lines(response: Message) -> list[bytes]:
    header = _CHALLENGES.get(response.status)
    spans = response.lines(header) if header else []
    return [response.raw[start : end - 2] for start, end in spans]


class Branch(Waiting):
    """A request on its way to one target. `final` is None until it ended; `context` owns the decision.

    `hops`: where else its name leads. `given_up`: a timer ended it. `has_moved`: the request went to the next hop, on
    another branch, because nobody answered on this one. `redirected`: its 3xx is followed and no candidate any more
    (§16.7 step 4). `breadth`: most branches that may be made of it (RFC 5393 §5.3).

    Timer "C" bounds how long a callee may ring (§16.8), "X" how long a CANCEL is waited for (§9.1), "N" how long for
    any answer if there is another hop (`next_hops.py`), "S" how long it may ring in a stage of a plan (`stages.py`).
    """

    __slots__ = (
        "_cancel_wanted",
        "_reasons",
        "breadth",
        "client",
        "context",
        "final",
        "given_up",
        "has_moved",
        "hops",
        "layer",
        "plan",
        "redirected",
    )

    def __init__(self, context: object, layer: TransactionLayer, plan: Plan, breadth: int) -> None:
        self.armed = {}
        self.breadth = breadth
        self.context = context
        self.layer = layer
        self.plan = plan
        self.client: ClientTransaction | None = None
        self.final: Final | None = None
        self.given_up = False
        self.has_moved = False
        self.hops: list[NextHop] = []
        self.redirected = False
        self._cancel_wanted = False
        self._reasons: Sequence[bytes] = ()

    @property
    def is_invite(self) -> bool:
        return self.client is not None and self.client.key[1] == "INVITE"

    @property
    def is_alive(self) -> bool:
        """Whether anything may still come of this branch."""
        return self.final is None or (self.client is not None and not self.client.is_over)

    def fixed(self) -> Fields:
        """What does not change any more once the request has been sent."""
        client = self.client
        return *self.plan.saved(), self.breadth, client.fixed() if client else None

    @property
    def has_fallen_back(self) -> bool:
        """Whether it was sent to somewhere else than where it had to go first."""
        flow, flows = self.client.flow if self.client else None, self.plan.target.flows
        if flow is None:
            return False
        if flows:
            return flow != Flow.unpack(flows[0])
        return literal_hop(self.plan.hop) != flow.hop == self.plan.fallback

    def changing(self, whole: bool) -> Fields:
        """What `restore` needs besides; without the response that this branch ended in unless `whole`."""
        final, client = self.final, self.client
        return (
            self.given_up,
            self.redirected,
            self._cancel_wanted,
            self._reasons,
            final.status if final else 0,
            _content(final) if final and whole else None,
            *([self.has_moved, self.hops] if self.hops or self.has_moved else ()),
            self.armed,
            client.changing() if client else None,
        )

    def watch(self, now: float) -> None:
        """Start timer C, or start it anew after a provisional response."""
        if "X" not in self.armed:
            self.layer.timers.arm(self, "C", now + self.layer.values.c)

    def watch_hop(self, now: float) -> None:
        """Start timer N, if the request can go elsewhere."""
        if self.hops:
            self.layer.timers.arm(self, "N", now + SILENT_T1 * self.layer.values.t1)

    def ring_until(self, when: float) -> None:
        """Start timer S, unless it runs: who is called over another way rings no longer."""
        if "S" not in self.armed:
            self.layer.timers.arm(self, "S", when)

    def leave(self, effects: TransactionEffects, reasons: Sequence[bytes]) -> None:
        """Wait no more: it ends as if nobody were there, and rings no more. A late 2xx is passed on all the same."""
        if self.final:
            return
        self.given_up = True
        if self._cancel_wanted:
            self.final = Final(480)
            return
        self.end(Final(480))
        if self.is_invite:
            self._cancel_wanted, self._reasons = True, reasons
            self.send_held_cancel(effects)

    def end(self, final: Final) -> None:
        """Take the final response."""
        self.final = final
        self.armed.clear()

    def cancel(self, effects: TransactionEffects, reasons: Sequence[bytes] = ()) -> None:
        """End this branch: by a CANCEL as soon as a provisional response allows it (§9.1)."""
        if self.final or self._cancel_wanted:
            return
        if self.client is None:
            self.end(Final(487))
        elif self.is_invite:
            self._cancel_wanted = True
            self._reasons = reasons
            self.send_held_cancel(effects)

    def send_held_cancel(self, effects: TransactionEffects) -> None:
        """Send the CANCEL if one is wanted, none was sent, and the callee has been heard of."""
        client = self.client
        if not self._cancel_wanted or "X" in self.armed or client is None or not client.is_proceeding:
            return
        self.cancel_over(client.flow, effects)

    def cancel_late(self, effects: TransactionEffects) -> None:
        """Somebody rings on a branch that was given up because nobody answered on it."""
        self._cancel_wanted = True
        self.send_held_cancel(effects)

    def cancel_over(self, flow: Flow, effects: TransactionEffects) -> None:
        """Send the CANCEL of an INVITE that was sent."""
        assert self.client is not None
        raw = make_cancel(parse_message(self.client.raw), self._reasons)
        self.layer.open_client(self.client.key[0], "CANCEL", flow, raw, None, effects)
        self.armed.clear()
        self.layer.timers.arm(self, "X", effects.now + self.layer.values.lifetime)


def _content(final: Final) -> bytes | str | None:
    """The response, or the words of one that we made up."""
    return final.message.raw if final.message else final.why or None


def _received(status: int, raw: bytes | None) -> Final:
    return Final(status, parse_message(raw) if raw else None)


def restore_branch(
    context: object, layer: TransactionLayer, fixed: Fields, changing: Fields, now: float
) -> Branch:
    """Return the branch that wrote this. `now`: when this process took over."""
    text, routes, hop, target, breadth, client_fixed = fixed
    given_up, redirected, cancel_wanted, reasons, status, raw, *moved, armed, client = changing
    branch = Branch(context, layer, Plan.restore(text, routes, hop, target), breadth)
    branch.given_up, branch.redirected, branch._cancel_wanted = given_up, redirected, cancel_wanted
    branch._reasons = reasons
    if moved:
        branch.has_moved, branch.hops = moved[0], restored(moved[1])
    if status:
        branch.final = Final(status, None, raw) if isinstance(raw, str) else _received(status, raw)
    if client:
        branch.client = layer.restore_client(client_fixed, client, now, branch)
    layer.timers.rearm(branch, armed, now)
    return branch
