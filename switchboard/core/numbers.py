"""What a router numbers: branches and tags, which must differ, and saved transactions."""

from typing import Protocol


class Numbering(Protocol):
    """How many of each were given out."""

    branches: int
    tags: int
    units: int


class Numbers:
    """Counts in Python; where there is an engine, that counts."""

    __slots__ = ("branches", "tags", "units")

    def __init__(self) -> None:
        self.branches = 0
        self.tags = 0
        self.units = 0
