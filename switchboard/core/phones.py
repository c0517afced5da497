"""Phones that share a flooder's address: whoever registered from an address and port is heard a little.

All phones of one address together may send what one source may, so that whoever registers from many ports
gains as much again, and no more. They are asked only while their address is ignored.
"""

SHARE = 0.05
"""Of what a source may send: 20 datagrams a second, 100 at once, by default. A call takes some 10."""
PHONES = 20_000
"""That are remembered without having registered again since so many others did."""


class Allowance:
    """Tokens, `rate` a second and at most `most`. `now` is monotonic."""

    def __init__(self, rate: float, most: float, now: float) -> None:
        self._rate, self._most = rate, most
        self._tokens, self._filled_at = most, now

    def take(self, now: float) -> bool:
        """Use up one; False if there is none."""
        self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Household:
    """The phones of one address, by port."""

    def __init__(self, together: Allowance) -> None:
        self.together = together
        self.phones: dict[int, Allowance] = {}


class Phones:
    """`rate` and `burst`: what one source may send. `now` is monotonic."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._young: dict[str, Household] = {}
        self._old: dict[str, Household] = {}
        self._added = 0

    def add(self, host: str, port: int, now: float) -> None:
        """A user registered from there."""
        if self._added >= PHONES:
            self._old, self._young, self._added = self._young, {}, 0
        household = self._young.get(host)
        if household is None:
            before = self._old.get(host)
            together = before.together if before else Allowance(self._rate, self._burst, now)
            household = self._young[host] = Household(together)
        if port not in household.phones:
            household.phones[port] = self._find(host, port) or self._allow(now)
            self._added += 1

    def knows(self, host: str) -> bool:
        """Whether a user registered from that address."""
        return host in self._young or host in self._old

    def hears(self, host: str, port: int, now: float) -> bool:
        """Whether a datagram from an address that is ignored is to be read all the same."""
        phone = self._find(host, port)
        if phone is None or not phone.take(now):
            return False
        return (self._young.get(host) or self._old[host]).together.take(now)

    def _allow(self, now: float) -> Allowance:
        return Allowance(SHARE * self._rate, max(1.0, SHARE * self._burst), now)

    def _find(self, host: str, port: int) -> Allowance | None:
        for households in (self._young, self._old):
            household = households.get(host)
            if household is not None and port in household.phones:
                return household.phones[port]
        return None
