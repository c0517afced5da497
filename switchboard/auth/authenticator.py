"""Where a worker asks who somebody is, and notes whom it turned away."""

from collections.abc import Sequence

from switchboard.auth.failures import Failures, Reason
from switchboard.auth.replay import Changes
from switchboard.auth.trusted import Trusted
from switchboard.auth.verifier import Verdict, Verifier
from switchboard.sip.stateless import StatelessAnswers


class Authenticator:
    """One worker's verifier, with whom it trusts, and the book of its failures."""

    def __init__(self, verifier: Verifier, trusted: Trusted, failures: Failures) -> None:
        self.verifier = verifier
        self.trusted = trusted
        self.challenged = 0
        self.answers = StatelessAnswers()
        self._failures = failures

    @property
    def is_ready(self) -> bool:
        """Whether it knows who the users are."""
        return self.verifier.users.is_loaded

    def identify(self, values: Sequence[str], method: str, uri: str, source: str, now_at: float) -> Verdict:
        """Judge the credentials of a request that came from the address `source`. `now_at`: epoch s."""
        verdict = self.verifier.check(values, method, uri, now_at)
        if verdict.reason:
            self.note(source, verdict.claimed, method, verdict.reason)
        return verdict

    def challenge(self, field: str, verdict: Verdict, now_at: float) -> list[tuple[str, str]]:
        """The header fields called `field` that ask for credentials."""
        self.challenged += 1
        challenges = self.verifier.challenges(now_at, stale=verdict.stale)
        return [(field, challenge) for challenge in challenges]

    def note(self, source: str, user: str, method: str, reason: Reason) -> None:
        """Somebody is turned away."""
        self._failures.note(source, user, method, reason)

    def take_changes(self) -> Changes:
        """What must be durable before the answers leave."""
        return self.verifier.replays.take_changes()
