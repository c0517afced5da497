"""The ladder of a demonstration call: a line a message, as it passes between phones and switchboard."""

from switchboard.lab.phone import Seen

WIDTH = 30
"""Columns between two of the three lifelines; the whole fits in 80."""
_TIME = 9


def heading(caller: str, callee: str) -> str:
    """Who stands where."""
    return f"{'':{_TIME}}{caller:<{WIDTH - 6}}{'switchboard':^13}{callee:>{WIDTH - 6}}"


def rung(seen: Seen, caller: str, since: float) -> str:
    """One message as an arrow. `since`: monotonic s at which the ladder begins."""
    message = seen.message
    what = message.method if message.is_request else f"{message.status} {message.reason}"
    at_caller = seen.user == caller
    arrow = _arrow(what, to_right=seen.sent is at_caller)
    empty = " " * (WIDTH - 1)
    left, right = (arrow, empty) if at_caller else (empty, arrow)
    return f"{seen.at - since:7.3f}  │{left}│{right}│"


def _arrow(what: str, to_right: bool) -> str:
    room = WIDTH - 1
    label = f" {what[: room - 6]} "
    line = f"{label:─^{room - 1}}"
    return f"{line}▶" if to_right else f"◀{line}"
