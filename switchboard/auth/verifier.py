"""Decides whether a request comes from whom it says (RFC 3261 §22.4, RFC 7616 §3.4.6)."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import NamedTuple

from switchboard.auth.digest import HA1_BYTES, QOP, Credentials, challenge
from switchboard.auth.failures import Reason
from switchboard.auth.keys import Use, seal
from switchboard.auth.nonce import Nonces
from switchboard.auth.replay import Replays
from switchboard.auth.users import Users
from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri


class Verdict(NamedTuple):
    """What credentials are worth. `user`: who it is, "" if that was not proved.

    `claimed`: who it is said to be. `reason`: None if there was nothing wrong but the lack of credentials, or
    an old nonce. `stale`: the password was right and the nonce was not.
    """

    user: str = ""
    claimed: str = ""
    reason: Reason | None = None
    stale: bool = False


_NONE = Verdict()


class Verifier:
    """One worker's. Known and unknown users cost the same and are told the same."""

    def __init__(
        self, key: bytes, algorithms: Sequence[str], users: Users, nonces: Nonces, replays: Replays
    ) -> None:
        self.users = users
        self.replays = replays
        self._algorithms = tuple(algorithms)
        self._nonces = nonces
        self._decoys = {name: seal(key, Use.DECOY, b"", size).hex() for name, size in HA1_BYTES.items()}

    def check(self, values: Sequence[str], method: str, uri: str, now_at: float) -> Verdict:
        """Judge the `values` (untrusted) of Authorization or Proxy-Authorization. `now_at`: epoch s."""
        shown = self._ours(values)
        if shown is None:
            return _NONE
        record = self.users.find(shown.username)
        ha1 = record.ha1(shown.algorithm) if record else self._decoys[shown.algorithm]
        expected = shown.expected(ha1, method).encode()
        proved = compare_digest(expected, shown.response.lower().encode("utf-8", "surrogateescape"))
        if not (proved and record):
            reason = Reason.WRONG_PASSWORD if record else Reason.UNKNOWN_USER
            return Verdict(claimed=shown.username, reason=reason)
        if not _same_target(shown.uri, uri):
            return Verdict(claimed=shown.username, reason=Reason.OTHER_TARGET)
        return self._use(shown, now_at)

    def challenges(self, now_at: float, *, stale: bool) -> list[str]:
        """What to answer who has proved nothing: a challenge for each algorithm (RFC 8760 §2.4)."""
        nonce = self._nonces.make(now_at)
        return [challenge(self.users.realm, nonce, algorithm, stale=stale) for algorithm in self._algorithms]

    def _ours(self, values: Sequence[str]) -> Credentials | None:
        """The first credentials that answer one of our challenges."""
        for value in values:
            try:
                shown = Credentials.parse(value)
            except ParseError:
                continue
            fits = shown.algorithm in self._algorithms and shown.qop in ("", QOP)
            if fits and shown.realm == self.users.realm:
                return shown
        return None

    def _use(self, shown: Credentials, now_at: float) -> Verdict:
        nonce = self._nonces.read(shown.nonce, now_at)
        if nonce is None:
            return Verdict(claimed=shown.username, stale=True)
        if not self.replays.use(nonce, shown.nonce_count, now_at):
            return Verdict(claimed=shown.username, reason=Reason.REPLAYED, stale=True)
        return Verdict(shown.username, shown.username)


def _same_target(shown: str, uri: str) -> bool:
    """Whether the credentials were made for this Request-URI, parameters apart."""
    if shown == uri:
        return True
    try:
        one, other = SipUri.parse(shown), SipUri.parse(uri)
    except ParseError:
        return False
    return (one.username, one.host, one.port) == (other.username, other.host, other.port)
