"""Where a worker asks who somebody is, whose word counts without credentials, and whom it turned away."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network

from switchboard.auth.failures import LONGEST_AGENT, FailingBook, Failure, Failures, Reason
from switchboard.auth.nonce import Changes
from switchboard.auth.verifier import Attempt, Verdict, Verifier
from switchboard.sip.stateless import StatelessAnswers

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

    def challenge(self, field: str, verdict: Verdict, attempt: Attempt, user: str) -> list[tuple[str, str]]:
        """The header fields called `field` that ask for credentials. `user`: who asks, as far as is known."""
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
