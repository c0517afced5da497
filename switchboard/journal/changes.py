"""What a table of calls takes from a frame, and what it has for the disk: packed."""

from dataclasses import dataclass
from typing import NamedTuple

MAX_RECORDED = 20_000
"""Recorded calls that are remembered; of more the oldest are forgotten."""


class Telling(NamedTuple):
    """The head of a packed `call.happened`: who tells, how many events, and where the first begins."""

    instance: int
    incarnation: str
    events: int
    start: int


class Run(NamedTuple):
    """How many plain events were taken one after the other, and where the next one is; empty: there is none."""

    taken: int
    start: int
    end: int


class Batch(NamedTuple):
    """Entries one behind the other, and how many."""

    data: bytes
    entries: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since it was last asked for: all that the disk needs to follow."""

    lines: Batch
    """Of cdr.jsonl: the calls that ended, in their order."""
    calls: Batch
    """For each open call that is new or has changed what `Call.save` says; of one that is closed, its serial."""
    ended: Batch
    """`[call_id, from_tag, ended_at]` of recorded calls; `ended_at` is nil if it is to be forgotten."""

    def __bool__(self) -> bool:
        return bool(self.calls.entries or self.ended.entries)
