"""What a final response says of a call that was not answered."""

from switchboard.journal.record import Outcome, Party

_BY_STATUS = {
    486: Outcome.BUSY,
    600: Outcome.BUSY,
    603: Outcome.DECLINED,
    607: Outcome.DECLINED,
    608: Outcome.DECLINED,
    404: Outcome.UNREACHABLE,
    410: Outcome.UNREACHABLE,
    502: Outcome.UNREACHABLE,
    503: Outcome.UNREACHABLE,
    504: Outcome.UNREACHABLE,
    604: Outcome.UNREACHABLE,
}
_SILENCE = (408, 480)  # not answered: a matter of whether it rang
_AFTER_CANCEL = (408, 487)  # RFC 3261 §9.1: a callee that confirms the CANCEL, and one that does not

_GONE = frozenset({404, 408, 410, 481, 503, 604})  # RFC 3261 §15.1.1, RFC 5057 §5.1; 503: out of reach

_NO_WAY_THERE = (500, Party.SWITCHBOARD)  # what a proxy makes of a 503 (RFC 3261 §16.7 step 6)


def ends_call(status: int) -> bool:
    """Whether a final response to a BYE says that the call is over: it was accepted, or nobody is there.

    Any other one refuses the BYE, or asks for a password: then who hung up tries again, or the call goes on.
    """
    return 200 <= status < 300 or status in _GONE


def outcome_of(status: int, by: Party, rang: bool) -> Outcome:
    """What a final response other than a 2xx says of the call."""
    if by is Party.CALLER and status in _AFTER_CANCEL:
        return Outcome.CANCELLED
    if status in _SILENCE:
        return Outcome.NO_ANSWER if rang else Outcome.UNREACHABLE
    if (status, by) == _NO_WAY_THERE:
        return Outcome.UNREACHABLE
    return _BY_STATUS.get(status, Outcome.FAILED)
