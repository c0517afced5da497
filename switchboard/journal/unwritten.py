"""What the journal has not written yet: normally the content of one commit, and more while the disk is full.

One row of the state's log takes all of it, because no row was added meanwhile: of several entries about a call the
last one counts. Lines and state are written one after the other, and each of them once, whichever write fails.
"""

from switchboard.journal.changes import Batch, Changes
from switchboard.journal.state import Row

MOST_HELD_BYTES = 64_000_000
"""More than this does not wait here: events stay with the routers. Some 50,000 calls."""


class Unwritten:
    """Gathers changes until they are written."""

    def __init__(self) -> None:
        self.row = Row(0, 0)
        self.octets = 0
        self.records = 0
        """Calls that have ended, and are not recorded yet."""
        self._lines: list[bytes] = []
        self._line_octets = 0
        self._calls: list[Batch] = []
        self._ended: list[Batch] = []
        self._is_due = False

    def __bool__(self) -> bool:
        return self._is_due

    @property
    def is_full(self) -> bool:
        """Whether no more is to be held."""
        return self.octets >= MOST_HELD_BYTES

    @property
    def line_octets(self) -> int:
        """Of the lines that wait; 0 for none."""
        return self._line_octets

    def add(self, row: Row, changes: Changes) -> None:
        """These wait, too. Of rows up to `row.worn` they hold what is still needed."""
        self._is_due = True
        self.row = Row(row.number, max(row.worn, self.row.worn))
        self.octets += sum(len(each.data) for each in (changes.lines, changes.calls, changes.ended))
        self.records += changes.lines.entries
        if changes.lines.entries:
            self._lines.append(changes.lines.data)
            self._line_octets += len(changes.lines.data)
        self._calls.append(changes.calls)
        self._ended.append(changes.ended)

    def lines(self) -> bytes:
        """The lines of cdr.jsonl that wait."""
        return b"".join(self._lines)

    def lines_are_written(self) -> None:
        """They need not be written again."""
        self._lines, self._line_octets = [], 0

    def changes(self) -> Changes:
        """The changes of the state that wait."""
        return Changes(Batch(b"", 0), _joined(self._calls), _joined(self._ended))


def _joined(batches: list[Batch]) -> Batch:
    return Batch(b"".join(each.data for each in batches), sum(each.entries for each in batches))
