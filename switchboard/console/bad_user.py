"""What cannot be done for a user or a group, in words."""


class BadUser(Exception):
    """What was asked for cannot be done for this user; the text tells people why. `status`: that of HTTP."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status
