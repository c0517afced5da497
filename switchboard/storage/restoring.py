"""Files that come back from a backup: made ready beside the data, and put in place by their owner before it opens them.

So nobody swaps a file under a process that writes to it, and whenever the owner starts it finds all of a file or none.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from switchboard.storage.durable import sync, sync_directory
from switchboard.storage.image import wal_of
from switchboard.storage.mending import put_in_place
from switchboard.storage.secret import make_private

DIRECTORY: Final = "restore"
MARK: Final = ".before-restore-"


def waiting(path: Path) -> Path:
    """Where what is to become the file `path` waits for its owner."""
    return path.parent / DIRECTORY / path.name


def take_restored(path: Path) -> Path | None:
    """Put in place what waits for it; return the name that the file has now which was there. None: nothing waits.

    Only for the owner, before it opens the file. OSError.
    """
    new = waiting(path)
    if not new.exists():
        return None
    kept = put_in_place(path, new, MARK)
    sync_directory(new.parent)
    return kept


def prepare(source: Path, path: Path, renew: str = "") -> None:
    """Let a copy of `source` wait for the owner of `path`. `renew`: what is done to a database before. OSError.

    sqlite3.Error.
    """
    new = waiting(path)
    new.parent.mkdir(mode=0o700, exist_ok=True)
    part = _unfinished(new)
    make_private(part)
    shutil.copyfile(source, part)
    if renew:
        with closing(sqlite3.connect(part, isolation_level=None)) as database:
            database.executescript(renew)
        wal_of(part).unlink(missing_ok=True)
    sync(part)
    part.replace(new)
    sync_directory(new.parent)


def discard(path: Path) -> None:
    """Nothing waits for the owner of `path` any more, whole or not. OSError."""
    new = waiting(path)
    for each in (new, _unfinished(new)):
        each.unlink(missing_ok=True)


def _unfinished(new: Path) -> Path:
    return new.with_name(new.name + ".part")


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Write the present content of `source` to the new file `target`, even while others write. sqlite3.Error."""
    make_private(target)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    sync(target)
