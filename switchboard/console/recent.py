"""What the console's first page tells of the past: the calls of today, the latest ones, failed registrations.

The journal is read once from where today's records may begin, then only what is new in it. So a look costs as much as
what has happened since the last one. The counts are of the calls that began today and have ended.
"""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from switchboard.bus.context import BusContext
from switchboard.cli.output import duration
from switchboard.history.explain import explain
from switchboard.history.place import place_of
from switchboard.history.reader import history_of
from switchboard.history.store import HistoryError
from switchboard.history.summary import SummaryKind, user_of
from switchboard.journal.file import read_part
from switchboard.journal.record import CallDetailRecord, Outcome, parse_line, timestamp
from switchboard.journal.search import NOT_MISSED
from switchboard.settings.model import Settings
from switchboard.settings.site import is_here

JOURNAL = "journal.0"
LATEST = 5
LATEST_BYTES = 16_000
"""So much of the journal's end is read at least: it has the latest calls."""
HOUR_NS = 3_600_000_000_000
AGAIN_S = 10.0
MOST_FAILED = 1000
"""Failed registrations that are looked at; more count as so many."""


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A record, and in words how the call ended."""

    record: CallDetailRecord
    cause: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Registrations that were refused in the last hour, and how many users' they were."""

    count: int
    users: int


@dataclass(frozen=True, slots=True)
class Recent:
    """What one look found. `outcomes`: today's calls, None where the journal cannot be read here.

    `failed` is None where the history cannot be read here.
    """

    outcomes: Counter[Outcome] | None = None
    latest: Sequence[EndedCall] = ()
    failed: Failed | None = None

    @property
    def calls(self) -> int | None:
        """The calls of today."""
        return None if self.outcomes is None else self.outcomes.total()

    @property
    def missed(self) -> int | None:
        """Those that nobody answered, though they reached the callee's side, or would have."""
        if self.outcomes is None:
            return None
        return sum(count for outcome, count in self.outcomes.items() if outcome not in NOT_MISSED)


@dataclass(slots=True)
class Day:
    """The records of the journal's file that count today, as far as it was read."""

    path: Path
    midnight: str = ""
    position: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    latest: deque[CallDetailRecord] = field(default_factory=lambda: deque(maxlen=LATEST))

    def read(self, now_at: float) -> None:
        """Read on, anew if it is another day or the file is shorter than it was. OSError."""
        size = self.path.stat().st_size if self.path.exists() else 0
        midnight = timestamp(_midnight(now_at))
        if midnight != self.midnight or size < self.position:
            self.midnight, self.outcomes = midnight, Counter()
            self.position = start_of(self.path, size, midnight)
            self.latest.clear()
        while part := read_part(self.path, self.position):
            for line in part:
                if not line.endswith(b"\n"):
                    return
                self.position += len(line)
                self._take(line)

    def _take(self, line: bytes) -> None:
        if record := parse_line(line):
            self.outcomes[record.outcome] += record.started_at >= self.midnight
            self.latest.append(record)


def start_of(path: Path, size: int, midnight: str) -> int:
    """Where a line begins before which no call ended after `midnight`, and which leaves some calls behind it."""
    if not size:
        return 0
    start, step = size, LATEST_BYTES
    with path.open("rb") as file:
        while start > 0:
            start, step = max(0, size - step), 2 * step
            file.seek(start)
            start += len(file.readline()) if start else 0
            record = parse_line(file.readline())
            if record and record.ended_at < midnight:
                return start
    return 0


class RecentReader:
    """Looks. `badges`: what the menu shows beside a page's name, by its path."""

    def __init__(
        self, settings: Settings, context: BusContext, clock: Callable[[], float] = time.time
    ) -> None:
        self.badges: dict[str, str] = {}
        self._settings = settings
        self._context = context
        self._clock = clock
        self._history = history_of(settings)
        self._day = Day(settings.cdr_path) if is_here(JOURNAL, settings) else None
        self._causes: OrderedDict[str, str] = OrderedDict()
        self._failed: Failed | None = None
        self._failed_again = 0.0

    def look(self) -> Recent:
        """What there is now. For one thread at a time."""
        outcomes, latest = None, list[CallDetailRecord]()
        if self._day:
            try:
                self._day.read(self._clock())
                outcomes, latest = Counter(self._day.outcomes), list(self._day.latest)
            except OSError:
                outcomes = None
        return Recent(
            outcomes, [EndedCall(each, self._cause(each)) for each in reversed(latest)], self._look()
        )

    def _look(self) -> Failed | None:
        """Failed registrations, counted anew every AGAIN_S."""
        if time.monotonic() >= self._failed_again:
            self._failed_again = time.monotonic() + AGAIN_S
            self._failed = self._count_failed()
            count = self._failed.count if self._failed else 0
            self.badges["/registrations"] = f"{count}{'+' if count >= MOST_FAILED else ''}" if count else ""
        return self._failed

    def _count_failed(self) -> Failed | None:
        try:
            found = self._history.recent(SummaryKind.REGISTRATION, outcomes=("refused",), at_most=MOST_FAILED)
        except HistoryError:
            return None
        since_ns = self._clock() * 1e9 - HOUR_NS
        late = [each for each in found if each.last_ns >= since_ns]
        return Failed(len(late), len({user_of(each.callee) for each in late}))

    def _cause(self, record: CallDetailRecord) -> str:
        """How the call ended; what was found out once is kept."""
        if record.answered_at:
            return f"talked {duration(record.duration_s)}"
        if record.call_id not in self._causes:
            self._causes[record.call_id] = self._explained(record)
            if len(self._causes) > 2 * LATEST:
                self._causes.popitem(last=False)
        return self._causes[record.call_id]

    def _explained(self, record: CallDetailRecord) -> str:
        try:
            messages = self._history.messages(record.call_id)
        except HistoryError:
            messages = []
        if not messages:
            return f"{record.status}, {record.outcome.value.replace('_', ' ')}"
        return explain(messages, place_of(self._settings, self._context)).sentences[-1]


def _midnight(now_at: float) -> float:
    return datetime.fromtimestamp(now_at).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
