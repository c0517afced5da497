"""What the presence worker keeps on the disk (SQLite): packed records by names. A write is durable, or nothing is."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from switchboard.presence.core import RESTORED
from switchboard.storage.database import Schema
from switchboard.storage.mending import Plan
from switchboard.storage.owned_file import OwnedFile
from switchboard.storage.rescue import Row
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import Writing

_PUT: Final = "INSERT OR REPLACE INTO records VALUES (?, ?)"
_ERASE: Final = "DELETE FROM records WHERE name = ?"


class PresenceError(UnusableFile):
    """The file cannot be used; the text tells people why and what to do."""


def _record_in(row: Row) -> Sequence[Any] | None:
    match row:
        case _, [str(name), bytes(packed)]:
            return name, packed
    return None


SCHEMA: Final = Schema(
    "The store of presence",
    1,
    "use the program that wrote it, or delete the file: phones subscribe and publish again.",
    PresenceError,
    Plan(
        "CREATE TABLE IF NOT EXISTS records (name TEXT PRIMARY KEY, packed BLOB NOT NULL) WITHOUT ROWID;",
        {_PUT: _record_in},
        "phones subscribe and publish again when theirs have expired",
        renew=f"INSERT OR REPLACE INTO records VALUES ('{RESTORED}', x'');",
    ),
)


class PresenceStore(OwnedFile):
    """The owner's end."""

    def __init__(self, path: Path) -> None:
        """PresenceError if the file cannot be used."""
        writing = Writing("subscriptions and publications", "new ones are refused with 503")
        super().__init__(path, SCHEMA, writing)

    def read(self) -> Iterator[tuple[str, bytes]]:
        """All records, by name."""
        with SCHEMA.explained(self._path):
            yield from self._database.execute("SELECT name, packed FROM records ORDER BY name")

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep these records; None: let them go. Durable when this returns. NotWritten: nothing has happened."""
        if not changes:
            return
        kept = [(name, packed) for name, packed in changes.items() if packed is not None]
        with self._change():
            self._database.executemany(_PUT, kept)
            self._database.executemany(
                _ERASE, [(name,) for name, packed in changes.items() if packed is None]
            )
