"""Answers kept for retransmissions: the memory of non-INVITE server transactions (RFC 3261 §17.2.2)."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Answered(Generic[T]):
    """Answers by transaction, each for `lifetime_s` seconds (64*T1, timer J).

    Of more than `keep` the oldest go. `now`: monotonic seconds, never falling.
    """

    def __init__(self, lifetime_s: float, keep: int = 20_000) -> None:
        self._lifetime_s = lifetime_s
        self._keep = keep
        self._answers: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, transaction: Hashable, answer: T, now: float) -> None:
        """Keep the answer to the request of `transaction`."""
        self._answers[transaction] = (now + self._lifetime_s, answer)
        self._answers.move_to_end(transaction)
        if len(self._answers) > self._keep:
            self._answers.popitem(last=False)

    def find(self, transaction: Hashable, now: float) -> T | None:
        """The answer that was given, None if there was none or its time is over."""
        until, answer = self._answers.get(transaction, (now, None))
        return answer if until > now else None

    def purge(self, now: float) -> None:
        """Forget the answers whose time is over."""
        while self._answers and next(iter(self._answers.values()))[0] <= now:
            self._answers.popitem(last=False)
