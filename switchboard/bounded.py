"""Bounded memories and rates: they limit what strangers can make us remember or do.

Theory. Everything that a stranger can add to needs a bound, and a cheap rule for what to forget. `TokenBucket`
bounds a rate. It computes the tokens from the time that has passed, so it needs no timer. `Generations` bounds a
memory by number and by age, without a list in order of use: entries go into the young generation; when that is full
or old, it becomes the old one, and the old one is forgotten as a whole. An entry that is in use has to be put again.
`Cache` forgets everything when it is full, which is good enough for answers that can be computed again.
"""

from math import inf
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TokenBucket:
    """Tokens, `rate` a second and at most `most`, all of them at first. `now` is monotonic s."""

    __slots__ = ("filled_at", "most", "rate", "tokens")

    def __init__(self, rate: float, most: float, now: float) -> None:
        self.rate = rate
        self.most = most
        self.tokens = most
        self.filled_at = now

    def take(self, now: float) -> bool:
        """Use up one; False if there is none."""
        tokens = self.tokens + (now - self.filled_at) * self.rate
        if tokens > self.most:
            tokens = self.most
        self.filled_at = now
        if tokens < 1.0:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1.0
        return True


class Generations(Generic[K, V]):
    """What was put lately, in two generations: as the young become too many, or too old, the old ones go.

    So each is remembered until `most` others were put after it, or for `lasts_s` at least and less than three times
    that; no more than 2 · `most` are. `now` is monotonic s.
    """

    __slots__ = ("_lasts_s", "_most", "_turned_at", "old", "young")

    def __init__(self, most: int, lasts_s: float = inf) -> None:
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}
        self._most = most
        self._lasts_s = lasts_s
        self._turned_at = 0.0

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def __contains__(self, key: K) -> bool:
        return key in self.young or key in self.old

    def get(self, key: K) -> V | None:
        """What was put; None if nothing was, or it is forgotten."""
        value = self.young.get(key)
        return self.old.get(key) if value is None else value

    def put(self, key: K, value: V, now: float = 0.0) -> None:
        """Remember it among the young. `now` matters where there is a `lasts_s`."""
        if len(self.young) >= self._most:
            self.turn(now)
        self.young[key] = value

    def age(self, now: float) -> None:
        """Let go of what has lasted; to be called before the others, where there is a `lasts_s`."""
        elapsed_s = now - self._turned_at
        if elapsed_s >= self._lasts_s:
            self.turn(now)
            if elapsed_s >= 2 * self._lasts_s:
                self.old = {}

    def turn(self, now: float = 0.0) -> None:
        """The young are the old ones from now on."""
        self.old, self.young = self.young, {}
        self._turned_at = now


class Cache(dict[K, V]):
    """Answers that can be found again: when `most` are known, all are forgotten."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> V:
        """Remember the answer, and return it."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
