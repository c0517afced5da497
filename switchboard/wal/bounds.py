"""How much a router's log holds, and how it grows: what both twins of it go by."""

from typing import Final

SEGMENT_BYTES: Final = 4_000_000
SLACK: Final = 3
"""The log may be so many times as large as what is alive in it, plus two segments."""
CLEANED_A_COMMIT: Final = 64
MOST_READ: Final = 16
"""So many segments are kept open for reading."""
EVENTS_KEPT: Final = 100_000
"""More call events than this do not wait for the journal: the oldest are dropped, and counted."""
REPEAT_S: Final = 1.0
"""How long an acknowledgement of events is waited for before all of them are told again."""
