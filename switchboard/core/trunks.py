"""The trunks as routers see them: where calls to a provider go, in whose name, and what comes from it for whom.

Theory. The switchboard is a user agent of the provider, which knows it by an account. Our Contact there has an opaque
user part, the token, which the switchboard's key makes of the trunk's name: so every router knows it, and nobody else
can make one. A request to it counts only if it comes from where the provider is, and leads to our users by the
provider's `numbers` alone: to nobody else, and never outside again.

A call to the provider bears a mask (`trunk_masks.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal
from switchboard.auth.proving import ANSWER_FIELDS, asked_in
from switchboard.core.call_rules import group_of
from switchboard.core.dial_plan import number_of
from switchboard.core.domains import Network, is_within, parse_host
from switchboard.core.e164 import same
from switchboard.core.preprocess import Routing
from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.core.target import Target
from switchboard.core.trunk_masks import PARAM as MASK
from switchboard.core.trunk_masks import Mask, answered, answers_in, make_token, mask_in
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message
from switchboard.sip.uri import parse_uri

FROM, ASSERTED, NONE = "from", "p-asserted", "none"
ANY_NUMBER: Final = "*"
PARAM: Final = "trunk"
"""Of a URI in the dial plan: by which trunk it goes; it never leaves us."""
MOST_ANSWERS: Final = 2
"""Challenges that are answered for one request: the second one if the nonce of the first was stale."""
LASTS_S: Final = 3600.0
"""So long an address counts as the provider's after its name has led there last."""
ADMITTED: Final = ("INVITE", "MESSAGE", "OPTIONS")
"""What a provider may begin."""
_TOKEN: Final = "trunk-"
_TOKEN_OCTETS: Final = 10


@dataclass(frozen=True, slots=True)
class Trunk:
    """One account. `uri`: of the provider, without user. `domain`: of the identities there.

    `identity`: how the provider is told who calls: in From, in P-Asserted-Identity, or not at all, so that the phone's
    own From remains. `callers`: the number of a user; `caller`: that of all others. `numbers`: whose each is;
    ANY_NUMBER for all others. `sources`: networks from which the provider calls, besides what its name leads to.
    `trusts_identity`: it is believed who calls, beyond From (RFC 3325 §5).
    """

    name: str
    uri: str
    domain: str
    user: str
    auth_user: str = ""
    identity: str = FROM
    caller: str = ""
    callers: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Network, ...] = ()
    trusts_identity: bool = False

    def identity_of(self, user: str) -> str:
        """The URI by which the provider is to know a call of `user`."""
        return f"sip:{self.callers.get(user) or self.caller or self.user}@{self.domain}"


def token_of(key: bytes, trunk: str) -> str:
    """The user part of our Contact at the provider. `key`: the switchboard's."""
    return _TOKEN + seal(key, Use.TRUNK, trunk.encode("utf-8", "surrogateescape"), _TOKEN_OCTETS).hex()


class Masked(NamedTuple):
    """A mask for a request. `param`: of our Record-Route. `added`: header lines."""

    mask: Mask
    param: str
    added: tuple[bytes, ...] = ()


class Proof(NamedTuple):
    """The answer to a challenge: a header line; or why there is none, for people."""

    line: bytes = b""
    why: str = ""


class Trunks:
    """All of them. `password_of`: of a trunk, "" if there is none; asked at each challenge.

    `normal`: makes one form of numbers (`e164.py`).
    """

    def __init__(
        self,
        key: bytes,
        trunks: Mapping[str, Trunk],
        password_of: Callable[[str], str],
        normal: Callable[[str], str] = same,
    ) -> None:
        self.by_name = dict(trunks)
        self._normal = normal
        self._numbers = {
            name: {self._digits(number): to for number, to in each.numbers.items() if number != ANY_NUMBER}
            for name, each in trunks.items()
        }
        self._key = key
        self._password_of = password_of
        self._tokens = {token_of(key, name): trunk for name, trunk in trunks.items()}
        self._hosts: dict[str, dict[str, float]] = {name: {} for name in trunks}

    def has_number(self, name: str) -> bool:
        """Whether a provider may mean one of its numbers by that name."""
        digits = self._digits(name)
        return any(digits in each for each in self._numbers.values())

    def may_mean(self, name: str) -> bool:
        """Whether a provider may call somebody by that name: one of its numbers, or our Contact there."""
        return name in self._tokens or self.has_number(name)

    def note_hosts(self, name: str, hosts: Iterable[str], now: float) -> None:
        """The provider's name leads to these IP addresses now (monotonic s)."""
        known = self._hosts[name] | dict.fromkeys(hosts, now)
        self._hosts[name] = {host: seen for host, seen in known.items() if now - seen < LASTS_S}

    def mask_of(self, incoming: IncomingRequest, target: Target, user: str) -> Masked | None:
        """Return what a request is to look like at the other side: of a call by a trunk. `user`: who has proved it."""
        request = incoming.message
        if found := mask_in(self._key, request, incoming.own.owns):
            mask, token = found
            return Masked(mask, f";{MASK}={token}")
        trunk = self.by_name.get(target.trunk)
        if trunk is None:
            return None
        far, lines = self.identity(trunk.name, user or incoming.caller)
        sides = request.from_uri, request.to_uri, far or request.from_uri, self.called(target)
        mask = Mask(trunk.name, request.cseq[0] - 1, 0, *sides)
        token = make_token(self._key, mask, request.call_id, request.from_tag)
        return Masked(mask, f";{MASK}={token}", lines)

    def identity(self, name: str, user: str) -> tuple[str, tuple[bytes, ...]]:
        """Return the URI in From by which a provider knows a call of `user`, "" for the phone's own; header lines."""
        trunk = self.by_name[name]
        if trunk.identity == NONE:
            return "", ()
        asserted = trunk.identity_of(user)
        if trunk.identity == FROM:
            return asserted, ()
        line = f"P-Asserted-Identity: <{asserted}>".encode("utf-8", "surrogateescape")
        return f"sip:{trunk.user}@{trunk.domain}", (line,)

    def called(self, target: Target) -> str:
        """Return the URI in To by which the provider of a target's trunk knows it."""
        return f"sip:{target.uri.user}@{self.by_name[target.trunk].domain}"

    def trunk_of(self, incoming: IncomingRequest, target: Target, host: str) -> Trunk | None:
        """Return by which trunk a request went to the provider at `host`; None if it went or came otherwise.

        Within a dialog the phone names the address: nobody else is to learn what proves our password.
        """
        found = mask_in(self._key, incoming.message, incoming.own.owns)
        if found is None:
            return self.by_name.get(target.trunk)
        trunk = None if found[0].is_back else self.by_name.get(found[0].trunk)
        return trunk if trunk is not None and self._comes_from(trunk, host) else None

    def prove(self, trunk: Trunk, sent: Message, response: Message) -> Proof:
        """Return the answer to the challenge in the `response` to a request that was `sent`."""
        answers, asked = answers_in(sent.cseq[0]), asked_in(response)
        if asked is None:
            return Proof(why=f"Trunk {trunk.name} Asks For What We Cannot Prove")
        if answers and not (asked.is_stale and answers < MOST_ANSWERS):
            return Proof(why=f"Trunk {trunk.name} Does Not Take Our Password")
        password = self._password_of(trunk.name)
        if not password:
            return Proof(why=f"Trunk {trunk.name} Wants A Password")
        seed = f"{sent.call_id}\n{sent.cseq}\n{asked.nonce}".encode("utf-8", "surrogateescape")
        cnonce = seal(self._key, Use.TRUNK, b"cnonce\0" + seed).hex()
        value = asked.answer(trunk.auth_user or trunk.user, password, sent.method, sent.uri, cnonce)
        return Proof(f"{ANSWER_FIELDS[response.status]}: {value}".encode("utf-8", "surrogateescape"))

    def once_more(self, sent: Message, branch: str, line: bytes) -> bytes:
        """Return the request that was `sent`, with the answer `line` to a challenge: a new transaction (§22.2)."""
        return answered(self._key, sent, branch, line)

    def admit(self, incoming: IncomingRequest, routing: Routing) -> bool:
        """Whether a provider sends this request; then `routing.called` is whom it is for. Refusal."""
        name = routing.uri.username
        if incoming.is_in_dialog or routing.routes:
            return False
        trunk = self._tokens.get(name)
        if trunk is None:
            trunk = self._sender(incoming.source.host, self._digits(name))
            if trunk is None:
                return False
        elif not self._comes_from(trunk, incoming.source.host):
            raise Refusal(403 if self._hosts[trunk.name] else 503, headers=[("Retry-After", "1")])
        if incoming.method not in ADMITTED:
            raise Refusal(405, headers=[("Allow", f"{', '.join(ADMITTED)}, ACK, BYE, CANCEL")])
        routing.called = self._called(trunk, incoming, name)
        return True

    def may_name_callers(self, host: str) -> bool:
        """Whether a provider is there that is believed who calls."""
        return any(each.trusts_identity and self._comes_from(each, host) for each in self.by_name.values())

    def _called(self, trunk: Trunk, incoming: IncomingRequest, name: str) -> str:
        """Whom the provider calls; "" for ourselves."""
        if incoming.method == "OPTIONS":
            return ""
        for dialled in (name, *_named_in(incoming.message), trunk.user):
            if to := self._numbers[trunk.name].get(self._digits(dialled)):
                return group_of(to) or to
        to = trunk.numbers.get(ANY_NUMBER, "")
        if not to:
            raise Refusal(404, f"Trunk {trunk.name} Has No Such Number")
        return group_of(to) or to

    def _sender(self, host: str, number: str) -> Trunk | None:
        found = (self.by_name[name] for name, numbers in self._numbers.items() if number in numbers)
        return next((each for each in found if self._comes_from(each, host)), None)

    def _digits(self, name: str) -> str:
        """A number as it is looked for: providers write it with + and without; "" for what is none."""
        return self._normal(number_of(name)).removeprefix("+")

    def _comes_from(self, trunk: Trunk, host: str) -> bool:
        if host in self._hosts[trunk.name]:
            return True
        try:
            return is_within(parse_host(host), trunk.sources)
        except ValueError:
            return False


def _named_in(request: Message) -> list[str]:
    """The numbers that may be meant, where the Request-URI is our Contact (RFC 3455 §4.2)."""
    called = (request.get("p-called-party-id") or "").partition(";")[0].strip(" <>")
    found = []
    for text in (called, request.to_uri):
        try:
            found.append(parse_uri(text).username)
        except ParseError:
            continue
    return found
