"""Which final response a forwarded request ends in, of those that its branches have ended in (RFC 3261 §16.7)."""

from collections.abc import Iterable, Sequence

from switchboard.core.branch import Branch, Final
from switchboard.core.waiting_targets import WaitingTargets


def candidates(branches: Sequence[Branch], since: int, waiting: WaitingTargets) -> list[Final]:
    """The finals to choose from, of the branches from the place `since` on.

    A redirection is one only if nothing was sent to where it leads (step 4).
    """
    followed = {waiting.leader(each.plan.target) for each in branches if each.client is not None}
    return [
        branch.final
        for place, branch in enumerate(branches[since:], since)
        if branch.final and not branch.has_moved and not (branch.redirected and place in followed)
    ]


def have_all_failed(finals: Iterable[Final]) -> bool:
    """Whether nobody but servers has said no: nobody answered, or a server failed (5xx)."""
    return all(final.status == 408 or 500 <= final.status < 600 for final in finals)


def must_not_pass(status: int, method: str) -> bool:
    """Whether a callee's final ends here: a 503 (§16.7 step 6), a 408 to a non-INVITE (RFC 4320 §4.2)."""
    return status == 503 or (status == 408 and method != "INVITE")
