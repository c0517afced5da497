"""Which records somebody wants, of lines of cdr.jsonl in any order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from switchboard.journal.record import CallDetailRecord, Outcome, parse_line, timestamp

MISSED = "missed"
"""Stands for every outcome of a call that nobody answered, though nothing failed."""
NOT_MISSED = frozenset({Outcome.ANSWERED, Outcome.FAILED})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; empty fields do not matter.

    `outcome`: an Outcome, or MISSED. `since`, `until`: days here, as 2026-11-24.
    """

    user: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""
    call_id: str = ""

    def matcher(self) -> "Matcher":
        """What finds it; ValueError, for people, if a day is none."""
        return Matcher(
            self.user.lower(),
            self.outcome,
            timestamp(_midnight(self.since)) if self.since else "",
            timestamp(_midnight(self.until) + 86400) if self.until else "~",
            self.call_id,
        )


@dataclass(frozen=True, slots=True)
class Matcher:
    """Bounds of `started_at` as records bear it; texts that who took part in a call, outcome, Call-ID have."""

    user: str
    outcome: str
    since: str
    until: str
    call_id: str

    def may_match(self, line: bytes) -> bool:
        """Whether it is worth while to read the line."""
        return (
            (self.outcome == MISSED or self.outcome.encode() in line)
            and self.call_id.encode() in line
            and (not self.user or self.user.encode() in line.lower())
        )

    def matches(self, record: CallDetailRecord) -> bool:
        """Whether the record is one of those."""
        return (
            self.since <= record.started_at < self.until
            and self._has(record.outcome)
            and self.call_id in ("", record.call_id)
            and any(self.user in name.lower() for name in _names(record))
        )

    def _has(self, outcome: Outcome) -> bool:
        return outcome not in NOT_MISSED if self.outcome == MISSED else self.outcome in ("", outcome.value)


def _names(record: CallDetailRecord) -> Iterator[str]:
    """Caller, callee, and whom the call was forwarded to."""
    yield record.caller
    yield record.callee
    yield from (each.to for each in record.forwarded)


def find(lines: Iterable[bytes], wanted: Matcher) -> Iterator[CallDetailRecord]:
    """Yield the records that match, in the order of the lines."""
    for line in lines:
        if wanted.may_match(line) and (record := parse_line(line)) and wanted.matches(record):
            yield record


def _midnight(day: str) -> float:
    try:
        return datetime.strptime(day, "%Y-%m-%d").timestamp()
    except ValueError:
        raise ValueError(f"{day!r} is no day such as 2026-11-24") from None
