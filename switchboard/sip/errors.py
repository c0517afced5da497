"""What can go wrong with SIP: the peer's fault (`ParseError`) or ours (`UsageError`)."""


class SipError(Exception):
    """Base of the protocol core's errors."""


class ParseError(SipError):
    """The peer sent what the grammar does not allow.

    `reason` is a phrase fit for a status line, `header` the field to blame ("" if none),
    `status` the response code that RFC 3261 suggests.
    """

    def __init__(self, reason: str, header: str = "", status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.header = header
        self.status = status


class UsageError(SipError):
    """We asked the core for something it cannot do."""
