"""Who has to give way where only so many may be at something: the oldest of the same source, or of all."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Shares(Generic[T]):
    """Those that are at it, in the order in which they began: at most `most`, and `most_of_source` of one source.

    `is_at_it` tells who still is; those that are not are forgotten when there is no room otherwise.
    """

    def __init__(
        self, most: int, most_of_source: int, is_at_it: Callable[[T], bool] = lambda _: True
    ) -> None:
        self._most, self._most_of_source, self._is_at_it = most, most_of_source, is_at_it
        self._all: dict[T, str] = {}
        self._of_source: dict[str, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._all))

    def __contains__(self, one: T) -> bool:
        return one in self._all

    def begin(self, one: T, source: str) -> T | None:
        """Note that one begins; return the one that has to give way, which is forgotten."""
        last = self._make_room(self._of_source.get(source, {}), self._most_of_source)
        last = self._make_room(self._all, self._most) if last is None else last
        self._all[one] = source
        self._of_source.setdefault(source, {})[one] = None
        return last

    def end(self, one: T) -> None:
        """One is at it no more, if it was."""
        source = self._all.pop(one, None)
        if source is not None:
            of_source = self._of_source[source]
            del of_source[one]
            if not of_source:
                del self._of_source[source]

    def _make_room(self, some: dict[T, str] | dict[T, None], most: int) -> T | None:
        if len(some) >= most:
            for one in [each for each in some if not self._is_at_it(each)]:
                self.end(one)
        if len(some) < most:
            return None
        oldest = next(iter(some))
        self.end(oldest)
        return oldest
