"""What a router numbers: branches and tags, which must differ, and units of state."""


class Numbers:
    """How many of each were given out. The engine has the same attributes, where it takes part."""

    __slots__ = ("branches", "tags", "units")

    def __init__(self) -> None:
        self.branches = 0
        self.tags = 0
        self.units = 0
