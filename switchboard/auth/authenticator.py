"""Checks that a request comes from the user that it names (RFC 3261 §22.4, RFC 7616 §3.4.6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import unquote

from switchboard.auth.digest import HA1_BYTES, MD5, QOP, SHA256, Credentials, Owns, challenge, names_same
from switchboard.auth.failures import LONGEST_AGENT, FailingBook, Failure, Failures, Reason
from switchboard.auth.keys import Use, seal
from switchboard.auth.nonce import Changes, Nonces, Replays
from switchboard.auth.users import Record, Users
from switchboard.sip.errors import ParseError
from switchboard.sip.respond import Hop
from switchboard.sip.stateless import StatelessAnswers

MOST_SHOWN: Final = 4
"""Credentials of one request that are looked at."""


class Attempt(NamedTuple):
    """A request that shows credentials. `hop`: where its answers go. `at`: epoch s."""

    method: str
    uri: str
    hop: Hop
    owns: Owns
    at: float
    user_agent: str = ""


class Verdict(NamedTuple):
    """What credentials are worth. `user`: who it is, "" if that was not proved.

    `claimed`: who it is said to be, `algorithm`: how. `reason`: None if there was nothing wrong but the lack
    of credentials, or an old nonce. `stale`: the password was right and the nonce was not; `is_repeated`: for
    it was used before. `is_there`: what was sent to the attempt's hop has arrived there.
    """

    user: str = ""
    claimed: str = ""
    reason: Reason | None = None
    stale: bool = False
    is_repeated: bool = False
    is_there: bool = False
    algorithm: str = ""


_NONE = Verdict()


class Verifier:
    """One worker's. Known and unknown users cost the same and are told the same.

    `algorithms`: those that are offered, in order; `of_user`: the same for single users.
    """

    def __init__(
        self,
        key: bytes,
        algorithms: Sequence[str],
        users: Users,
        nonces: Nonces,
        replays: Replays,
        of_user: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.users = users
        self.replays = replays
        self._algorithms = tuple(algorithms)
        self._of_user = of_user or {}
        self._nonces = nonces
        decoys = {name: seal(key, Use.DECOY, b"", size).hex() for name, size in HA1_BYTES.items()}
        self._nobody = Record(0, "", "", decoys[SHA256], decoys[MD5], 0.0)

    def check(self, values: Sequence[str], attempt: Attempt) -> Verdict:
        """Judge the `values` (untrusted) of Authorization or Proxy-Authorization: any right one will do."""
        best = _NONE
        for shown in self._ours(values):
            verdict = self._judge(shown, attempt)
            if verdict.user:
                return verdict
            if best is _NONE or (verdict.stale and not best.stale):
                best = verdict
        return best

    def challenges(self, attempt: Attempt, user: str, *, stale: bool) -> list[str]:
        """The answer to a request without proof: a challenge for each algorithm of `user` (RFC 8760 §2.4)."""
        nonce = self._nonces.make(attempt.at, attempt.hop)
        realm = self.users.realm
        return [challenge(realm, nonce, algorithm, stale=stale) for algorithm in self._offered(user)]

    def named(self, username: str) -> str:
        """The user whom credentials name so; "" for nobody."""
        return self._find(username).user

    def _offered(self, user: str) -> Sequence[str]:
        return self._of_user.get(user, self._algorithms)

    def _ours(self, values: Sequence[str]) -> Iterator[Credentials]:
        """The first credentials that answer a challenge of ours."""
        for value in values[:MOST_SHOWN]:
            try:
                shown = Credentials.parse(value)
            except ParseError:
                continue
            fits = shown.realm == self.users.realm and shown.qop in ("", QOP)
            if fits and shown.algorithm in self._offered(unquote(shown.username)):
                yield shown

    def _judge(self, shown: Credentials, attempt: Attempt) -> Verdict:
        nonce = self._nonces.read(shown.nonce, attempt.at)
        is_there = nonce is not None and self._nonces.was_sent_to(nonce, attempt.hop)
        record = self._find(shown.username)
        claimed = Verdict(claimed=record.user or shown.username, is_there=is_there, algorithm=shown.algorithm)
        expected = shown.expected(record.ha1(shown.algorithm), attempt.method).encode()
        is_right = compare_digest(expected, shown.response.lower().encode("utf-8", "surrogateescape"))
        if not (is_right and record.user):
            return claimed._replace(reason=Reason.WRONG_PASSWORD if record.user else Reason.UNKNOWN_USER)
        if not names_same(shown.uri, attempt.uri, record.user, attempt.owns):
            return claimed._replace(reason=Reason.OTHER_TARGET)
        if nonce is None:
            return claimed._replace(stale=True)
        if not self.replays.use(nonce, shown.nonce_count, attempt.at):
            return claimed._replace(stale=True, is_repeated=True)
        return claimed._replace(user=record.user)

    def _find(self, username: str) -> Record:
        """The user called so, else nobody; some user agents escape the name as in a URI (9901%231)."""
        record = self.users.find(username)
        if record is None and "%" in username:
            record = self.users.find(unquote(username))
        return record or self._nobody


_REMEMBERED = 4096


class Trusted:
    """`host in trusted`: whether the IP address (never a name) is in one of `networks`, as 10.1.0.0/16."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(network, strict=False) for network in networks]
        self._cached = lru_cache(_REMEMBERED)(self._look_up)

    def __contains__(self, host: str) -> bool:
        return bool(self._networks) and self._cached(host)

    def _look_up(self, host: str) -> bool:
        try:
            address = ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)


class Authenticator:
    """One worker's verifier, with whom it trusts, and the book of its failures.

    `challenged`, `repeated`: how often it asked, and how often it was shown what had been shown before.
    """

    def __init__(self, verifier: Verifier, trusted: Trusted, failures: Failures) -> None:
        self.verifier = verifier
        self.trusted = trusted
        self.challenged = self.repeated = 0
        self.answers = StatelessAnswers()
        self.failing = FailingBook()
        self._failures = failures

    @property
    def is_ready(self) -> bool:
        """Whether it knows who the users are."""
        return self.verifier.users.is_loaded

    def identify(self, values: Sequence[str], attempt: Attempt) -> Verdict:
        """Judge the credentials (untrusted) of a request."""
        verdict = self.verifier.check(values, attempt)
        if verdict.is_there:
            self.answers.prove(attempt.hop, attempt.at)
        if verdict.reason:
            self.note(attempt, verdict, verdict.reason)
        self.repeated += verdict.is_repeated
        if verdict.user:
            self.failing.forget(verdict.user)
        return verdict

    def named(self, username: str) -> str:
        """The user whom credentials name so; "" for nobody."""
        return self.verifier.named(username)

    def challenge(self, field: str, verdict: Verdict, attempt: Attempt, user: str) -> list[tuple[str, str]]:
        """The header fields called `field` that ask for credentials. `user`: the sender, as far as is known."""
        self.challenged += 1
        user = verdict.claimed or user
        if user in self.verifier.users and not verdict.stale:
            self.failing.note(
                user, attempt.hop[0], attempt.user_agent[:LONGEST_AGENT], verdict.algorithm, attempt.at
            )
        challenges = self.verifier.challenges(attempt, user, stale=verdict.stale)
        return [(field, challenge) for challenge in challenges]

    def note(self, attempt: Attempt, verdict: Verdict, reason: Reason) -> None:
        """Somebody is turned away."""
        agent, algorithm = attempt.user_agent[:LONGEST_AGENT], verdict.algorithm
        self._failures.note(
            Failure(attempt.hop[0], verdict.claimed, attempt.method, reason, agent, algorithm)
        )

    def take_changes(self) -> Changes:
        """What must be durable before the answers leave."""
        return self.verifier.replays.take_changes()
