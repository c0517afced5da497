"""What the engine asks of a call that leads outside, by a gateway or trunk of the dial plan.

Theory. Where a number leads depends on who dials it, on the dial plan, and on who is registered. So there are two facts
(`facts.py`): who a caller is to the dial plan, which hangs on the caller's bindings; and where a number leads callers
of that class, which hangs on the bindings of whoever may have that name. What a provider is told of a caller depends on
the settings only. A gateway or provider that is given by a name is the engine's as long as it is known where that leads
(`next_hops.py`): the request goes to the first hop, and the others are saved with it. The mask of a call
(`trunk_masks.py`) is made and read by the engine.
"""

from collections.abc import Callable
from typing import Final

from switchboard.codec import pack
from switchboard.core.commands import NextHop
from switchboard.core.dial_plan import DialPlan, number_of
from switchboard.core.dialog_seal import packed_side
from switchboard.core.environment import Environment
from switchboard.core.forwarding import literal_hop, plan
from switchboard.core.gruu import is_gruu
from switchboard.core.large_requests import LASTS_S
from switchboard.core.preprocess import MAX_BREADTH, Routing, parse_request_uri
from switchboard.core.record import Record, make_record
from switchboard.core.record_route import outside_side
from switchboard.core.refusal import Refusal
from switchboard.core.request import address_of_record, user_of
from switchboard.core.target import Target
from switchboard.core.targets import gateways
from switchboard.core.trunk_masks import ANSWERED
from switchboard.core.waiting_targets import WaitingTargets
from switchboard.sip.errors import ParseError
from switchboard.sip.fields import text_of
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message, parse_message
from switchboard.sip.uri import SipUri

RecordOf = Callable[[str, SipUri, Target, str, float, Flow | None], Record]
Fact = tuple[bytes, float] | None
"""A record, and until when it is true (epoch s; 0: until it is forgotten)."""
PROVED_S: Final = 60.0
"""So long it is believed whom credentials name; whether they prove it is asked each time."""


class Outside:
    """Answers for the router of `env`; the keys of what is to be forgotten are noted by `note`.

    `record_of` makes the first fields of a target's record: of Request-URI, target, callee, instant, and flow if a name
    leads there.
    """

    def __init__(self, env: Environment, record_of: RecordOf, note: Callable[[str, bytes], bool]) -> None:
        self._env = env
        self._record_of = record_of
        self._note = note

    @property
    def leads(self) -> bool:
        """Whether a dial plan leads anybody outside."""
        return self._env.policy.dial_plan is not None

    @property
    def has_trunks(self) -> bool:
        """Whether calls may bear a mask."""
        return self._env.policy.trunks is not None

    def caller(self, key: bytes, sender: bytes, octets: bytes, shown: bytes | None, at: float) -> Fact:
        """Who the sender of an INVITE is, that came over a packed flow: class, user of ours, user by credentials.

        None: nobody who may call outside. `sender`: the URI in From. `shown`: the user name in credentials, which are
        still to be judged; None if none are needed.
        """
        policy, plan = self._env.policy, self._plan
        if shown is not None:
            user = self._env.admission.authenticator.named(text_of(shown)) if self._env.admission else ""
            return (make_record(plan.class_of(user), user, user), at + PROVED_S) if user else None
        caller, host = user_of(text_of(sender), policy.own), Flow.unpack(octets).host
        is_registered = bool(caller) and policy.locations.registered_from(caller, host, at)
        if not (is_registered or policy.open_relay or host in policy.trusted):
            return None
        ends = [bound.expires_at for bound in policy.locations.lookup(caller, at)] if caller else []
        until = min(ends, default=0.0) if not caller or self._note(caller, key) else at
        return make_record(plan.class_of(caller if is_registered else ""), caller, ""), until

    def number(self, key: bytes, octets: bytes, its_class: bytes, at: float) -> Fact:
        """Where a Request-URI leads callers of a class outside; None: not, or oddly.

        The fields of a callee (`Facts.callee`); then the trunk, how it is called there, and the groups that wait, what
        was tried, and the other hops of its name, all as they are saved.
        """
        policy, text = self._env.policy, text_of(octets)
        try:
            uri = parse_request_uri(text)
            if uri.scheme != "sip" or uri.param("maddr") or is_gruu(uri) or not policy.own.owns(uri):
                return None
            dialled = uri.username
            if not dialled or (self._env.star_codes is not None and dialled.startswith("*")):
                return None
            if policy.trunks and policy.trunks.may_mean(dialled):
                return None  # it may be the provider who calls
            lead = self._plan.find_for(dialled, text_of(its_class), lambda user: policy.has_user(user, at))
            found = self._recorded(text, gateways(lead.uris), at) if lead.uris else None
        except (Refusal, ParseError):
            return None
        if found is None:
            return None
        record, until = found
        names = dict.fromkeys((dialled, self._plan.normal(number_of(dialled)) or dialled))
        return record, until if all(self._note(name, key) for name in names) else at

    def identity(self, trunk: bytes, user: bytes) -> bytes:
        """What a trunk tells its provider of a user: From, b"" for the phone's own; header lines."""
        assert self._env.policy.trunks is not None
        far, lines = self._env.policy.trunks.identity(text_of(trunk), text_of(user))
        return make_record(far, b"".join(line + b"\r\n" for line in lines))

    def side(self, told: bytes) -> bytes:
        """The packed side of a dialog at the gateway or provider that has answered.

        `told`: the flow to it behind its length in one octet, then the value of its Contact.
        """
        end = 1 + told[0]
        policy, flow = self._env.policy, Flow.unpack(told[1:end])
        return make_record(
            packed_side(outside_side(text_of(told[end:]), flow, policy.seals, policy.own), True)
        )

    def prove(self, trunk: bytes, sent: bytes, raw: bytes, index: bytes) -> tuple[bytes, bytes] | None:
        """Return the header line that answers a challenge to the INVITE `sent`, and the offset index of that.

        None: there is no answer. `raw`, `index`: of the 401 or 407.
        """
        trunks, request = self._env.policy.trunks, parse_message(sent)
        found = trunks.by_name.get(text_of(trunk)) if trunks else None
        if trunks is None or found is None:
            return None
        line = trunks.prove(found, request, Message(raw, index)).line
        return (line, request.index.tobytes()) if line else None

    @property
    def _plan(self) -> DialPlan:
        assert self._env.policy.dial_plan is not None
        return self._env.policy.dial_plan

    def _recorded(self, text: str, targets: list[Target], at: float) -> Fact:
        trunks, waiting = self._env.policy.trunks, WaitingTargets()
        waiting.add(targets, min(self._env.max_forks, MAX_BREADTH))
        (target,) = waiting.take(MAX_BREADTH)
        flow, hops, until = self._way(text, target, at)
        record = self._record_of(text, target.uri, target, address_of_record(text), at, flow)
        if record is None or f";{ANSWERED}=" in target.text:
            return None
        is_trunk = trunks is not None and target.trunk in trunks.by_name
        far = trunks.called(target) if trunks and is_trunk else ""
        groups, tried, _ = waiting.saved()
        others = pack(hops) if hops else b""
        trunk = target.trunk if is_trunk else ""
        return record + make_record(trunk, far, pack(groups), pack(tried), others), until

    def _way(self, text: str, target: Target, at: float) -> tuple[Flow | None, list[NextHop], float]:
        """Where the target's name leads: a flow, None without a name; the hops that are left; and until when."""
        env = self._env
        planned = plan(Routing(text, target.uri, [], 1), target, env.policy.own)
        if literal_hop(planned.hop) is not None:
            return None, [], at + LASTS_S
        known = env.next_hops.known(planned.hop, at)
        hops = list(known.hops) if known else []
        flow = env.next_flow(planned, hops) if known else None
        return flow, hops, min(known.until, at + LASTS_S) if known else at
