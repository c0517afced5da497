"""Which messages belong together: what left and what it came in as, a response and its request."""

from collections.abc import Sequence

from switchboard.history.glance import Glance
from switchboard.history.seen import Direction


def twin_of(glances: Sequence[Glance], number: int) -> int | None:
    """Which message came in before it left: one that bears, under our Via, the same branch (§16.6, §16.7)."""
    glance = glances[number]
    if not glance.goes_out:
        return None
    for earlier in range(number - 1, -1, -1):
        if glances[earlier].comes_in and _is_same(glances[earlier], glance):
            return earlier
    return None


def _is_same(incoming: Glance, outgoing: Glance) -> bool:
    if (incoming.status, incoming.cseq) != (outgoing.status, outgoing.cseq):
        return False
    inner, outer = (incoming, outgoing) if incoming.is_request else (outgoing, incoming)
    return bool(inner.branches) and inner.branches[:1] == outer.branches[1:2] and inner.method == outer.method


def request_of(glances: Sequence[Glance], number: int) -> int | None:
    """The latest request with the same branch and method that went the other way (§17.1.3)."""
    glance = glances[number]
    if glance.is_request or glance.seen.direction is Direction.HOP:
        return None
    for earlier in range(number - 1, -1, -1):
        other = glances[earlier]
        is_other_way = other.seen.direction not in (glance.seen.direction, Direction.HOP)
        if other.is_request and is_other_way and (other.branch, other.cseq) == (glance.branch, glance.cseq):
            return earlier
    return None
