"""What tests of the journal's tables share: both twins, and what their changes say."""

from typing import Any

from switchboard import codec
from switchboard.journal.call import Call
from switchboard.journal.changes import Batch, Changes
from switchboard.journal.table import CallTable, CallTableInPython

TABLES = [CallTableInPython] if CallTable is CallTableInPython else [CallTableInPython, CallTable]


def saved(batch: Batch) -> list[Any]:
    """The entries of a batch."""
    entries: list[Any] = codec.unpack(codec.list_head(batch.entries) + batch.data)
    return entries


def opened(changes: Changes) -> list[Call]:
    """The open calls that are new or have changed."""
    return [Call.restore(entry) for entry in saved(changes.calls) if isinstance(entry, list)]
