"""Registrations that failed, gathered: what one phone tries again and again is told once, with a count."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from switchboard.history.account import Account
from switchboard.history.explain import explain
from switchboard.history.lenient import LenientMessage, short
from switchboard.history.place import Place
from switchboard.history.reader import HistoryReader
from switchboard.history.seen import Direction, Seen, method_of, status_of
from switchboard.history.summary import Summary, SummaryKind, user_of

LOOKED_AT = 1000
"""Call-IDs, the latest; who fails makes a new one each time, or keeps to one."""
UNANSWERED_NS = 5_000_000_000
"""A request without an answer has failed after so long."""


@dataclass(slots=True)
class FailedRegistrations:
    """Those of one user from one host for one reason. `account`, `call_id`: of the last one; instants: epoch ns."""

    user: str
    source: str
    agent: str
    status: int
    phrase: str
    account: Account
    call_id: str
    count: int
    first_ns: int
    last_ns: int

    @property
    def reason(self) -> str:
        """The sentence that says why."""
        return self.account.sentences[-1]


def failed_registrations(
    reader: HistoryReader, place: Place, user: str = "", at_most: int = LOOKED_AT
) -> list[FailedRegistrations]:
    """What the history has of them, the latest first. HistoryError."""
    found = reader.recent(SummaryKind.REGISTRATION, user=user, outcomes=("refused", "open"), at_most=at_most)
    now_ns = time.time_ns()
    failed = [each for each in found if each.status or each.last_ns < now_ns - UNANSWERED_NS]
    messages = reader.messages_of(each.call_id for each in failed)
    return _gather(_explained(failed, messages, place))


def _explained(
    summaries: Iterable[Summary], messages: Iterable[list[Seen]], place: Place
) -> Iterator[FailedRegistrations]:
    for summary, seen in zip(summaries, messages, strict=True):
        if not seen:
            continue
        request = LenientMessage.of(seen[0])
        phone = request.seen.source if request.comes_in else request.seen.destination
        yield FailedRegistrations(
            user=user_of(summary.callee) or short(summary.callee),
            source=phone.host,
            agent=request.first("user-agent"),
            status=summary.status,
            phrase=summary.phrase,
            account=explain(seen, place),
            call_id=summary.call_id,
            count=_tries(seen),
            first_ns=summary.started_ns,
            last_ns=summary.last_ns,
        )


def _tries(messages: Iterable[Seen]) -> int:
    """How often it was refused; the question for a password that is asked first is part of a try."""
    answers = [
        status_of(each.raw)[0]
        for each in messages
        if each.direction is Direction.OUT and method_of(each.raw) == "REGISTER"
    ]
    asked = sum(status == 401 for status in answers)
    return max(1, (asked + 1) // 2 + sum(status >= 300 and status != 401 for status in answers))


def _gather(failed: Iterable[FailedRegistrations]) -> list[FailedRegistrations]:
    groups: dict[tuple[str, str, str], FailedRegistrations] = {}
    for each in failed:
        latest = groups.setdefault((each.user, each.source, each.reason), each)
        if latest is not each:
            latest.count += each.count
            latest.first_ns = min(latest.first_ns, each.first_ns)
            latest.last_ns = max(latest.last_ns, each.last_ns)
    return sorted(groups.values(), key=lambda each: -each.last_ns)
