"""How our SQLite files are opened: by one writer, and by readers that do not disturb it."""

import sqlite3
from pathlib import Path

BUSY_S = 5.0
"""How long who meets somebody else's lock waits for it."""


def connect(path: Path | str) -> sqlite3.Connection:
    """Open `path` to write; transactions begin when we say so. ":memory:" is for tests. sqlite3.Error."""
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there, without a way to change it. sqlite3.Error."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(name, timeout=BUSY_S, isolation_level=None, uri=True)


def schema_version(database: sqlite3.Connection) -> int:
    """What the writer of the file has set; 0 for a file with nothing in it."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)
