"""The record that one call has to leave (docs/JOURNAL.md), and what is wrong with those that it left."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from math import inf

from system.harness import CallRecord

ROUNDING_S = 0.002


class Flaw(Enum):
    """What may be wrong with the records of a call."""

    MISSING = auto()
    DOUBLED = auto()
    FALSE = auto()


@dataclass
class Expected:
    """What the phones know of their call; instants are the span (epoch s) in which something passed."""

    call_id: str = ""
    outcome: str = ""
    status: int = 0
    ended_by: str = ""
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """From now on the switchboard may note the instant `name`."""
        self.spans.setdefault(name, (time.time(), inf))

    def end(self, name: str) -> None:
        """Now it has; the first end counts."""
        start, end = self.spans[name]
        self.spans[name] = start, min(end, time.time())

    def conclude(self, outcome: str, status: int, ended_by: str) -> None:
        """The call is over."""
        self.outcome, self.status, self.ended_by = outcome, status, ended_by

    def flaw(self, records: Sequence[CallRecord]) -> tuple[Flaw, str] | None:
        """What is wrong with the `records` of this call; None: nothing."""
        if not records:
            return Flaw.MISSING, f"no record of {self.call_id} ({self.outcome})"
        if len(records) > 1:
            return Flaw.DOUBLED, f"{len(records)} records of {self.call_id}: {records}"
        [record] = records
        complaints = [*self._wrong_end(record), *self._wrong_instants(record)]
        return (Flaw.FALSE, f"{'; '.join(complaints)}: {record}") if complaints else None

    def _wrong_end(self, record: CallRecord) -> list[str]:
        wanted = (self.outcome, self.status, self.ended_by)
        found = (record["outcome"], record["status"], record["ended_by"])
        return [] if found == wanted else [f"{found} instead of {wanted}"]

    def _wrong_instants(self, record: CallRecord) -> list[str]:
        return [
            f"{name} not in {_clock(start)} … {_clock(end)}"
            for name, (start, end) in self.spans.items()
            if not _fits(record[name], start, end)
        ]


def _fits(instant: str | None, start: float, end: float) -> bool:
    """Whether a record's instant lies between these (epoch s); an endless span may have none."""
    if instant is None:
        return end == inf
    return start - ROUNDING_S <= datetime.fromisoformat(instant).timestamp() <= end + ROUNDING_S


def _clock(at: float) -> str:
    return "…" if at == inf else datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")
