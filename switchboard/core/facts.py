"""Facts about texts and addresses that a router's engine needs, found out by the Python rules and kept by the engine.

Theory. The same questions come with every message of a call: who sends, where a Request-URI leads, whether a Route
is ours. Their answers depend on the octets of the question, the settings and the bindings only. So the engine keeps
the answer as a record under these octets, and asks again after it was told to forget the record.

An answer is a record (`record.py`). Of calls that lead outside, `outside.py` tells.
"""

from typing import Final

from switchboard.codec import pack
from switchboard.core.dialog_routing import Known, unmoved
from switchboard.core.dialog_seal import NOBODY, Side, packed_side
from switchboard.core.environment import Environment
from switchboard.core.forwarding import literal_hop, plan
from switchboard.core.gruu import is_gruu
from switchboard.core.large_requests import LASTS_S
from switchboard.core.outside import Outside
from switchboard.core.preprocess import Routing, parse_request_uri
from switchboard.core.record import Record, make_record
from switchboard.core.record_route import caller_side, first_callee_side, names_place, place_of
from switchboard.core.refusal import Refusal
from switchboard.core.relay_rules import is_behind, reach_of
from switchboard.core.request import IncomingRequest, address_of_record, user_of
from switchboard.core.target import Target, uri_of
from switchboard.media.sdp import Sdp
from switchboard.sip.errors import ParseError
from switchboard.sip.fields import text_of
from switchboard.sip.flow import NAMES, UDP, Flow, bracketed
from switchboard.sip.message import Message
from switchboard.sip.respond import is_same_host
from switchboard.sip.translation import is_private
from switchboard.sip.uri import SipUri, parse_uri

MOST_KEYS: Final = 64
"""Facts that hang on the bindings of one user, which strangers can call by any parameters; others are odd."""
MOST_USERS: Final = 100_000
"""Users of whom it is known by which Request-URIs they were called; of more, all facts are forgotten."""

_ADDS_RECEIVED, _IS_EXEMPT, _IS_TRUSTED = 1, 2, 4
_MAY_MOVE, _IS_BEHIND, _IS_PUBLIC = 1, 2, 4


class Facts:
    """Answers the engine's questions by the parts of `env`. All is octets, as it stands in messages and items.

    `outside` answers those about calls that leave by the dial plan.
    """

    def __init__(self, env: Environment) -> None:
        self.outside = Outside(env, self._record_of, self._note_outside)
        self._env = env
        self._keys: dict[str, set[bytes]] = {}

    def caller(self, raw: bytes, index: bytes, octets: bytes, may_relay: bool) -> Record:
        """Who sends a request over a packed flow. `may_relay`: whether it has authenticated.

        Flags (whether Via gets `received`, whether no cap holds, whether it is trusted), host, user of ours, packed
        side of the dialog, address-of-record, how the sender names us in a Route ("": as the other side does).
        """
        flow = Flow.unpack(octets)
        try:
            incoming = IncomingRequest(Message(raw, index), flow, self._env.policy.own)
            incoming.reply_to  # noqa: B018 (it may be that nobody can be answered)
        except ParseError:
            return None
        flags = 0 if is_same_host(incoming.via.host, flow.host) else _ADDS_RECEIVED
        flags |= self._standing(flow.host)
        side = packed_side(caller_side(incoming, self._env.policy.seals, may_relay), has_local=True)
        inner = "" if "%" in flow.local or not flow.local else self._place(flow)
        if not inner and flow.transport != UDP:
            return None
        return make_record(bytes((flags,)), flow.host, incoming.caller, side, incoming.parties[0], inner)

    def callee(self, key: bytes, octets: bytes, at: float) -> tuple[bytes, float] | None:
        """Where the Request-URI of a request outside a dialog leads, and until when (epoch s).

        None unless it is one contact of a user of ours. `key`: what is to be forgotten when that changes.
        """
        text = text_of(octets)
        try:
            uri = parse_request_uri(text)
        except (Refusal, ParseError):
            return None
        policy = self._env.policy
        user = policy.plain_user(uri.username)
        if not user or uri.scheme != "sip" or uri.param("maddr") or not policy.own.owns(uri) or is_gruu(uri):
            return None
        if policy.planner and policy.planner.concerns(user, at):
            return None
        if policy.trunks and policy.trunks.has_number(uri.username):
            return None  # it may be the provider who calls
        bounds = list(policy.locations.lookup(user, at))
        targets = policy.bindings_of(user, at) if len(bounds) == 1 else []
        if len(targets) != 1 or targets[0].user != user or targets[0].path:
            return None
        record = self._record_of(text, uri, targets[0], address_of_record(text), at)
        if record is None or not self._note_user(user, key):
            return None
        return record, min(bounds[0].expires_at, at + LASTS_S)

    def along(
        self, key: bytes, octets: bytes, flow: bytes, owner: bytes, callee: bytes, is_ack: bool, at: float
    ) -> tuple[bytes, float] | None:
        """The same for the Request-URI of a request that a dialog leads over a packed flow, and until when.

        `owner`: the sum over the name of a user of ours, from the seal, who may be elsewhere since; b"" if that does
        not matter. `callee`: the URI in To. `key`: as for `callee`.
        """
        text, own = text_of(octets), self._env.policy.own
        uri = uri_of(text)
        is_simple = uri.scheme == "sip" and uri.has_host and not uri.param("maddr")
        is_instance = is_simple and is_gruu(uri) and own.owns(uri)
        if not is_simple or (is_instance and not owner) or (uri.user is None and own.owns(uri)):
            return None
        policy, user = self._env.policy, user_of(text_of(callee), own) if owner else ""
        users = {user} if user and policy.seals.user(user) == owner else set()
        if is_instance:
            users.add(policy.user_of(uri))
        if not all(self._note_user(each, key) for each in filter(None, users)):
            return None
        ends = [bound.expires_at for each in users for bound in policy.locations.lookup(each, at)]
        until = min(ends, default=0.0)
        there = Side(Flow.unpack(flow), b"", owner or NOBODY, bool(owner), False, False)
        asked = Known("ACK" if is_ack else "", user)
        target = unmoved(policy, there, asked, Routing(text, uri, [], 1), uri, at)
        record = None if target.path else self._record_of(target.text, target.uri, target, "")
        return None if record is None else (record, until)

    def target_sum(self, octets: bytes) -> bytes:
        """The sum over the address that a Request-URI names, as it is sealed."""
        text = text_of(octets)
        return make_record(self._env.policy.seals.target_of(uri_of(text), text))

    def is_same_place(self, both: bytes) -> bytes:
        """One octet: whether the value of a Contact names the address of the URI that follows it behind a 0."""
        contact, _, target = both.partition(b"\0")
        return make_record(bytes((names_place(text_of(contact), text_of(target)),)))

    def reach(self, octets: bytes) -> bytes:
        """One octet, a `Reach`: of the `c=` lines behind the line that is the host of their sender."""
        host, _, lines = octets.partition(b"\n")
        return make_record(bytes((reach_of(Sdp.parse(lines), text_of(host)),)))

    def is_ours(self, place: bytes) -> bytes:
        """One octet: whether a Route to `place` ("host:port") leads to us."""
        try:
            return make_record(bytes((self._env.policy.own.owns(parse_uri(f"sip:{text_of(place)};lr")),)))
        except ParseError:
            return make_record(b"\0")

    def changed(self, user: str) -> set[bytes]:
        """The bindings of `user` have changed: return the keys of what is not true any more."""
        return self._keys.pop(user, set())

    @property
    def is_full(self) -> bool:
        """Whether more is known than can be forgotten one by one."""
        return len(self._keys) >= MOST_USERS

    def clear(self) -> None:
        """Everything was forgotten."""
        self._keys.clear()

    def _note_user(self, user: str, key: bytes) -> bool:
        """Note what is to be forgotten when the bindings of `user` change; False if that is too much already."""
        keys = self._keys.setdefault(user, set())
        if len(keys) < MOST_KEYS:
            keys.add(key)
        return key in keys

    def _note_outside(self, name: str, key: bytes) -> bool:
        """The same for a name that nobody may have: of those there is no end."""
        return not self.is_full and self._note_user(name, key)

    def _standing(self, host: str) -> int:
        env = self._env
        exempt = _IS_EXEMPT if env.caps is None or env.caps.is_exempt(host) else 0
        trusted = env.admission is not None and host in env.admission.authenticator.trusted
        return exempt | (_IS_TRUSTED if trusted else 0)

    def _record_of(
        self,
        text: str,
        uri: SipUri,
        target: Target,
        called: str,
        at: float | None = None,
        flow: Flow | None = None,
    ) -> Record:
        """Target, flow, our Via's beginning and Route, packed side, address-of-record, saved target, saved look-up.

        And one octet of flags: whether large requests are left to the reference, as they may go by TCP
        (`LargeRequests`), whether it is behind address translation (`is_behind`), whether it is at a public address.
        `flow`: if a name leads there.
        """
        env = self._env
        try:
            planned = plan(Routing(text, uri, [], 1), target, env.policy.own)
        except ParseError:
            return None
        hop = literal_hop(planned.hop)
        flow = flow if hop is None else env.flow_for(planned, hop)
        if flow is None or env.policy.own.is_listening_at(flow.host, flow.port):
            return None
        side = packed_side(
            first_callee_side(target, (), flow, env.policy.seals, env.policy.own), has_local=True
        )
        via = f"{NAMES[flow.transport]} {bracketed(flow.local)}:{env.policy.own.port_of(flow.transport)}"
        flags = _MAY_MOVE if env.large.may_move(planned, flow, at) else 0
        flags |= (_IS_BEHIND if is_behind(target, flow) else 0) | (0 if is_private(flow.host) else _IS_PUBLIC)
        saved = pack(target.saved()), pack(planned.hop.saved())
        return make_record(
            target.text, flow.pack(), via, self._place(flow), side, called, *saved, bytes((flags,))
        )

    def _place(self, flow: Flow) -> str:
        """How the peer of a flow names us in a Route to it, without the scheme."""
        place = place_of("sip", bracketed(flow.local), flow.transport, self._env.policy.own)
        return place.removeprefix("sip:")
