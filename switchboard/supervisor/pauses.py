"""Pauses between the starts of a process that does not last."""


class Pauses:
    """Each pause is twice the one before, up to `longest_s` (seconds)."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.count = 0
        """How many there were since the last `reset`."""

    def next_s(self) -> float:
        """Return the next pause."""
        pause_s = self._first_s
        for _ in range(self.count):
            pause_s = min(self._longest_s, 2 * pause_s)
        self.count += 1
        return pause_s

    def reset(self) -> None:
        """Begin with the first one again."""
        self.count = 0
