"""The rate limit of each source, and the access rules of the settings.

Theory. Each source has a token bucket: `rate` tokens a second, at most `burst`. A datagram takes one token. A source
without a token is ignored for `ignored_s`, and then starts with the tokens of one second. edge-rx checks this before
it reads the datagram, so the cost of a flood is one look-up. An IPv6 source is its whole site, because a host has
many addresses there. The table has a bounded size, in two generations: sources that were silent for longest are
forgotten.

Phones may share the address of a flooder (behind a NAT). A phone that registered from an address and port has a
small bucket of its own, and is still heard while its address is ignored. All phones of one address together may send
as much as one source, so an attacker who registers from many ports can at most double his share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from switchboard.bounded import Generations, TokenBucket
from switchboard.core.domains import IPV6_SITE, AccessList, IpAddress, Network, is_within, parse_host
from switchboard.core.overload import LASTS_S


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """`rate`: datagrams a second from one source, 0 for no limit; `burst`: most at once; `ignored_s`: how long
    a source above the limit is ignored. `exempt` have no limit. `access` is for every datagram, `methods` for
    requests in addition; `silent`: denied requests get no answer. `scanners`: beginnings of the User-Agent of
    scanners, in lower case. `largest` (octets) and `most_fields` (of the header): limits of a request outside
    a dialog, from an address where nobody is registered. `transaction_s`: 64 T1. `advertised`: see
    `sip/advertised.py`.
    """

    rate: float = 0.0
    burst: float = 0.0
    ignored_s: float = 0.0
    exempt: tuple[Network, ...] = ()
    access: AccessList = AccessList()
    methods: Mapping[str, AccessList] = field(default_factory=dict)
    silent: bool = False
    scanners: tuple[str, ...] = ()
    largest: int = 65_535
    most_fields: int = 16_000
    transaction_s: float = LASTS_S
    advertised: str = ""

    def is_exempt(self, address: IpAddress) -> bool:
        """Whether the datagrams of `address` are not counted."""
        return not self.rate or is_within(address, self.exempt)

    def is_free(self, address: IpAddress) -> bool:
        """Whether `address` may send whatever it likes."""
        return self.access.lets_in(address) and all(
            access.lets_in(address) for access in self.methods.values()
        )

    def lets_in(self, address: IpAddress, method: str) -> bool:
        """Whether `address` may send a request of this method; "": a response."""
        access = self.methods.get(method)
        return self.access.lets_in(address) and (access is None or access.lets_in(address))


GENERATION = 10_000
"""Sources in one generation: a silent source is forgotten after one to two times this number of others."""
FORGIVEN_S = 60.0
"""A source that is ignored again within this time has not stopped, and is not reported again."""
SHARE = 0.05
"""Of what a source may send: 20 datagrams a second, 100 at once, by default. A call takes some 10."""
PHONES = 20_000
"""Phones in one generation, by their last registration."""


class BucketInPython(TokenBucket):
    """The tokens of one source, or of one IPv6 site. Instants are monotonic seconds."""

    __slots__ = ("ignored_until",)

    def __init__(self, rate: float, most: float, now: float) -> None:
        super().__init__(rate, most, now)
        self.ignored_until = 0.0


class SourceInPython:
    """One address: its bucket; whether it is not counted (`exempt`), never heard (`silent`), or `free` to
    send requests of every method.
    """

    def __init__(self, bucket: "Bucket", exempt: bool, silent: bool, free: bool) -> None:
        self.bucket = bucket
        self.exempt = exempt
        self.silent = silent
        self.free = free


try:
    from switchboard._native.wire import Bucket as Bucket
    from switchboard._native.wire import Source as Source
except ImportError:
    Bucket = BucketInPython  # type: ignore[assignment, misc]
    Source = SourceInPython  # type: ignore[assignment, misc]


class Household:
    """The phones of one address, by port."""

    def __init__(self, together: TokenBucket) -> None:
        self.together = together
        self.phones: dict[int, TokenBucket] = {}


class Phones:
    """`rate` and `burst`: what one source may send. `now` is monotonic."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._households: Generations[str, Household] = Generations(PHONES)
        self._added = 0

    def add(self, host: str, port: int, now: float) -> None:
        """A user registered from there."""
        if self._added >= PHONES:
            self._households.turn()
            self._added = 0
        household = self._households.young.get(host)
        if household is None:
            before = self._households.old.get(host)
            together = before.together if before else TokenBucket(self._rate, self._burst, now)
            household = self._households.young[host] = Household(together)
        if port not in household.phones:
            household.phones[port] = self._find(host, port) or self._allow(now)
            self._added += 1

    def knows(self, host: str) -> bool:
        """Whether a user registered from that address."""
        return host in self._households

    def hears(self, host: str, port: int, now: float) -> bool:
        """Whether a datagram from an address that is ignored is to be read all the same."""
        phone = self._find(host, port)
        if phone is None or not phone.take(now):
            return False
        household = self._households.get(host)
        return household is not None and household.together.take(now)

    def _allow(self, now: float) -> TokenBucket:
        return TokenBucket(SHARE * self._rate, max(1.0, SHARE * self._burst), now)

    def _find(self, host: str, port: int) -> TokenBucket | None:
        for households in (self._households.young, self._households.old):
            household = households.get(host)
            if household is not None and port in household.phones:
                return household.phones[port]
        return None


class Sources:
    """Every source that was heard of lately: a bounded number, however many there are."""

    def __init__(self, policy: FilterPolicy) -> None:
        self._policy = policy
        self._rate = policy.rate
        self._burst = policy.burst
        self._ignored_s = policy.ignored_s
        self._sources: Generations[str, Source] = Generations(GENERATION)
        self._sites: Generations[str, Bucket] = Generations(GENERATION)
        self.phones = Phones(policy.rate, policy.burst)
        self.ignored = 0
        self.denied = 0
        self.floods: list[str] = []

    def find(self, host: str, now: float) -> Source:
        """Return what is known of `host`, an IP address."""
        source = self._sources.young.get(host)
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
        if bucket.take(now):
            return True
        self._ignore(bucket, host, now)
        return False

    @property
    def known(self) -> int:
        """How many sources are remembered."""
        return len(self._sources)

    def _ignore(self, bucket: Bucket, host: str, now: float) -> None:
        """For a while; then it may send as much as in a second, not a whole burst."""
        self.ignored += 1
        if not bucket.ignored_until or now - bucket.ignored_until > FORGIVEN_S:
            self.floods.append(host)
        bucket.ignored_until = now + self._ignored_s
        bucket.filled_at = bucket.ignored_until - 1.0
        bucket.tokens = 0.0

    def _meet(self, host: str, now: float) -> Source:
        source = self._sources.old.get(host) or self._make(host, now)
        self._sources.put(host, source)
        return source

    def _make(self, host: str, now: float) -> Source:
        address = parse_host(host)
        policy = self._policy
        bucket = self._site(host, now) if address.version == 6 else Bucket(self._rate, self._burst, now)
        silent = policy.silent and not policy.access.lets_in(address)
        return Source(bucket, policy.is_exempt(address), silent, policy.is_free(address))

    def _site(self, host: str, now: float) -> Bucket:
        """The bucket that all addresses of an IPv6 site share."""
        site = parse_host(host).packed[: IPV6_SITE // 8].hex()
        bucket = self._sites.get(site) or Bucket(self._rate, self._burst, now)
        self._sites.put(site, bucket)
        return bucket
