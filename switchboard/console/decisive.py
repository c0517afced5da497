"""Which message of a ladder tells most of how it ended: the page of a call opens it at once."""

from switchboard.history.ladder import Arrow, Ladder
from switchboard.history.lenient import LenientMessage

_ASKING = frozenset({401, 407})
_CANCELLED = 487


def decisive(ladder: Ladder) -> int:
    """The number of the message, from 1; 0 for an empty ladder.

    In this order: the last refusal as it came in, the CANCEL, the first success of what began it, the last question for
    a password, the first message.
    """
    refusals, cancels, successes, challenges = list[int](), list[int](), list[int](), list[int]()
    began = _method(ladder.arrows[0]) if ladder.arrows else ""
    for number, arrow in enumerate(ladder.arrows, 1):
        status = _status(arrow)
        if status in _ASKING:
            challenges.append(number)
        elif status >= 300 and status != _CANCELLED and _method(arrow) == began:
            refusals.append(number if arrow.counterpart is None else arrow.counterpart + 1)
        elif 200 <= status < 300 and _method(arrow) == began:
            successes.append(number)
        elif not status and _method(arrow) == "CANCEL":
            cancels.append(number)
    if successes and (not refusals or successes[-1] > refusals[-1]):
        return successes[0]
    last = [*refusals[-1:], *cancels[:1], *challenges[-1:]]
    return last[0] if last else min(1, len(ladder.arrows))


def _status(arrow: Arrow) -> int:
    text = arrow.label[:3]
    return int(text) if text.isdecimal() and len(text) == 3 else 0


def _method(arrow: Arrow) -> str:
    return LenientMessage.of(arrow.seen).method
