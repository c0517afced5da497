"""A BYE and what became of it: only its answer tells whether the call has ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from switchboard.history.glance import Glance
from switchboard.journal.outcome import ends_call

_NOT_DELIVERED = 500
"""What the switchboard says where it could not send a request on (RFC 3261 §16.7 step 6)."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """`request` as it came, `passed` as it left, `answer` as its sender got it; None: that was not seen."""

    request: Glance
    passed: Glance | None
    answer: Glance | None
    by_phone: bool
    """Whether the answer is that of the other phone."""

    @property
    def ends(self) -> bool:
        """Whether the call is over by it. A BYE that was passed on and not answered ends a call, too."""
        if self.answer is None:
            return self.passed is not None
        undelivered = self.answer.status == _NOT_DELIVERED and not self.by_phone
        return undelivered or ends_call(self.answer.status)


def hang_ups(glances: Sequence[Glance]) -> Iterator[HangUp]:
    """Yield each BYE among the messages of a call, retransmissions once."""
    known: set[str] = set()
    byes = [each for each in glances if each.method == "BYE"]
    for request in byes:
        if request.is_request and request.comes_in and request.branch not in known:
            known.add(request.branch)
            yield _hang_up(request, byes)


def _hang_up(request: Glance, byes: Sequence[Glance]) -> HangUp:
    below = [each for each in byes if each.branches[1:2] == [request.branch]]
    passed = next((each for each in below if each.goes_out and each.is_request), None)
    finals = [each for each in byes if each.goes_out and each.status >= 200 and each.branch == request.branch]
    answer = finals[0] if finals else None
    by_phone = answer is not None and any(each.comes_in and each.status == answer.status for each in below)
    return HangUp(request, passed, answer, by_phone)
