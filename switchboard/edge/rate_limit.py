"""How much each source sends: a token bucket for each, and who sends too much is ignored for a while.

Edge-rx asks for each datagram, before it reads it.
"""

from switchboard.core.networks import parse_host
from switchboard.core.phones import Phones
from switchboard.edge.policy import GatePolicy

GENERATION = 10_000
"""Sources that are remembered without having been heard of since so many others were."""
FORGIVEN_S = 60.0
"""A source that is ignored again within so long has not stopped: that is no news."""
IPV6_SITE = 64
"""Bits of an IPv6 address that stand for one source: it has the others for itself."""


class Bucket:
    """The tokens of one source, or of one IPv6 site. Instants are monotonic seconds."""

    def __init__(self, tokens: float, now: float) -> None:
        self.tokens = tokens
        self.filled_at = now
        self.ignored_until = 0.0


class Source:
    """One address: its bucket; whether it is not counted (`exempt`), never heard (`silent`), or `free` to
    send requests of every method.
    """

    def __init__(self, bucket: Bucket, exempt: bool, silent: bool, free: bool) -> None:
        self.bucket = bucket
        self.exempt = exempt
        self.silent = silent
        self.free = free


class Sources:
    """Every source that was heard of lately: a bounded number, however many there are."""

    def __init__(self, policy: GatePolicy) -> None:
        self._policy = policy
        self._rate = policy.rate
        self._burst = policy.burst
        self._ignored_s = policy.ignored_s
        self._young: dict[str, Source] = {}
        self._old: dict[str, Source] = {}
        self._sites: dict[str, Bucket] = {}
        self._old_sites: dict[str, Bucket] = {}
        self.phones = Phones(policy.rate, policy.burst)
        self.ignored = 0
        self.denied = 0
        self.floods: list[str] = []

    def find(self, host: str, now: float) -> Source:
        """Return what is known of `host`, an IP address."""
        source = self._young.get(host)
        if source is None:
            source = self._meet(host, now)
        return source

    def hears(self, source: Source, host: str, port: int, now: float) -> bool:
        """Whether a datagram is to be read; if not, it is counted, and `floods` tells who begins one."""
        if source.silent:
            self.denied += 1
            return False
        if source.exempt:
            return True
        bucket = source.bucket
        if now < bucket.ignored_until:
            if self.phones.hears(host, port, now):
                return True
            self.ignored += 1
            return False
        tokens = bucket.tokens + (now - bucket.filled_at) * self._rate
        if tokens > self._burst:
            tokens = self._burst
        bucket.filled_at = now
        bucket.tokens = tokens - 1.0
        if tokens < 1.0:
            self._ignore(bucket, host, now)
            return False
        return True

    @property
    def known(self) -> int:
        """How many sources are remembered."""
        return len(self._young) + len(self._old)

    def _ignore(self, bucket: Bucket, host: str, now: float) -> None:
        """For a while; then it may send as much as in a second, not a whole burst."""
        self.ignored += 1
        if not bucket.ignored_until or now - bucket.ignored_until > FORGIVEN_S:
            self.floods.append(host)
        bucket.ignored_until = now + self._ignored_s
        bucket.filled_at = bucket.ignored_until - 1.0
        bucket.tokens = 0.0

    def _meet(self, host: str, now: float) -> Source:
        source = self._old.get(host)
        if source is None:
            source = self._make(host, now)
        if len(self._young) >= GENERATION:
            self._old, self._young = self._young, {}
        self._young[host] = source
        return source

    def _make(self, host: str, now: float) -> Source:
        address = parse_host(host)
        policy = self._policy
        bucket = self._site(host, now) if address.version == 6 else Bucket(self._burst, now)
        silent = policy.silent and not policy.access.lets_in(address)
        return Source(bucket, policy.is_exempt(address), silent, policy.is_free(address))

    def _site(self, host: str, now: float) -> Bucket:
        """The bucket that all addresses of an IPv6 site share."""
        site = parse_host(host).packed[: IPV6_SITE // 8].hex()
        bucket = self._sites.get(site) or self._old_sites.get(site) or Bucket(self._burst, now)
        if len(self._sites) >= GENERATION:
            self._old_sites, self._sites = self._sites, {}
        self._sites[site] = bucket
        return bucket
