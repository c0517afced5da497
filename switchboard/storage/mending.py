"""Damaged files: the damaged file is set aside under a name with the date, and its readable content stays in use.

A report lies beside the file that was set aside; status, log, doctor and console show it until it is removed.
"""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from switchboard.storage.durable import sync_directory
from switchboard.storage.image import Image, has_lost_frames, read_image, shm_of, wal_of
from switchboard.storage.rescue import Rescue, Row
from switchboard.storage.room import claim

_MARK: Final = ".damaged-"
_REPORT: Final = ".json"
KEPT: Final = 5
"""Damaged versions of one file that are kept; the oldest is removed."""
NAMED: Final = 20
"""Missing entries that are named."""
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY: Final = 0xFF
_FRAMES_SEEN_AT: Final = 16
"""Where the index of a log says how many frames it has."""

Recognise = Callable[[Row], Sequence[Any] | None]
"""The values of a found row for a table's columns; None: the row is not from that table."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file of one kind is made anew. `rows`: by the statement that inserts them, what is recognised as such.

    `script` makes the tables, `settle` comes last. `missing` asks for what is known to be lost, in words; what it needs
    beyond the tables, `memory` makes. `advice`: what people do about it. `renew`: what makes another file of a copy
    that was restored, for who remembers the file that it is a copy of.
    """

    script: str
    rows: Mapping[str, Recognise]
    advice: str
    settle: str = ""
    memory: str = ""
    missing: str = ""
    renew: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of the file `path`, at `at` (epoch s); `found`, `saved` and `advice` are for people."""

    path: str
    at: float
    found: str
    saved: str
    kept_as: str
    advice: str

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        return (
            f"{self.path} was found damaged at {when} ({self.found}): {self.saved}; {self.advice}. "
            f"What it was is kept as {self.kept_as}; remove that with what lies beside it to end this message."
        )


def damage_of(database: sqlite3.Connection, path: Path, check: str) -> str:
    """What is wrong with the file `path`, which is open there; "" if nothing is. sqlite3.Error for other trouble.

    `check`: the pragma that looks, quick_check or integrity_check.
    """
    try:
        (line,) = database.execute(f"PRAGMA {check}(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return str(error)
    if line != "ok":
        return str(line).replace("\n", " ").strip("* ")
    seen = _frames_seen(path)
    return "its write-ahead log" if seen is not None and has_lost_frames(path, seen) else ""


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite reports a damaged file, and not the disk or a lock."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _DAMAGED


def mend(path: Path, found: str, version: int, plan: Plan) -> Report:
    """Make the file anew of what can be read of it, and set aside what it was. OSError, sqlite3.Error."""
    image = read_image(path)
    rescue = Rescue(image)
    saved = path.with_name(path.name + ".saved")
    saved.unlink(missing_ok=True)
    _make(saved, path.stat().st_size if path.exists() else 0)
    older = _older_rows(path) if image.skipped else ()
    with closing(sqlite3.connect(saved, isolation_level=None)) as database:
        count, missing = _write(database, rescue.rows(), older, version, plan)
    if path.exists():
        shutil.copymode(path, saved)
    lost = [f"{count} rows were saved"]
    if rescue.unreadable:
        lost.append(f"{rescue.unreadable} of {len(image)} pages could not be read")
    if image.skipped:
        lost.append(f"{image.skipped} damaged pages of the write-ahead log were skipped")
    if missing:
        lost.append(f"missing: {_some(missing)}")
    kept = put_in_place(path, saved, _MARK)
    report = Report(str(path), time.time(), found, ", ".join(lost), kept.name, plan.advice)
    write_report(kept, report)
    return report


def _make(path: Path, size: int) -> None:
    """An empty file with room for so many octets. OSError: at once, before anybody has worked for nothing."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        claim(fd, 0, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(fd)


def save_into(database: sqlite3.Connection, path: Path, version: int, plan: Plan) -> None:
    """Fill an empty database with what can be read of the file, which stays as it is. OSError, sqlite3.Error."""
    image = read_image(path)
    _write(database, Rescue(image).rows(), _older_rows(path) if image.skipped else (), version, plan)


def _older_rows(path: Path) -> Sequence[Row]:
    """What the pages held that the log has changed, the newest first: a damaged page may have got it from them."""
    rows: list[Row] = []

    def collect(image: Image, pages: set[int]) -> None:
        rescue = Rescue(image)
        rows.extend(row for page in pages for row in rescue.rows_of(page))

    read_image(path, collect)
    return rows[::-1]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def put_in_place(path: Path, new: Path, mark: str) -> Path:
    """Let `new` be the file `path`; return the name with `mark` and the date that the one before has now.

    Its log goes with it, for it would be taken for the new one's.
    """
    kept = dated(path, mark)
    with suppress(FileNotFoundError):
        os.link(path, kept)
    with suppress(FileNotFoundError):
        wal_of(path).rename(wal_of(kept))
    shm_of(path).unlink(missing_ok=True)
    new.replace(path)
    sync_directory(path.parent)
    return kept


def dated(path: Path, mark: str) -> Path:
    """A name beside `path` that nothing has yet."""
    name = path.name + mark + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    found, number = path.with_name(name), 1
    while found.exists() or wal_of(found).exists():
        number += 1
        found = path.with_name(f"{name}.{number}")
    return found


def write_report(kept: Path, report: Report) -> None:
    """Let `reports` find it, and let go of the oldest if there are many of this file. OSError."""
    kept.with_name(kept.name + _REPORT).write_text(json.dumps(asdict(report)))
    before = sorted(kept.parent.glob(f"{Path(report.path).name}{_MARK}*{_REPORT}"))
    for old in before[:-KEPT]:
        for each in (old.with_suffix(""), wal_of(old.with_suffix("")), old):
            each.unlink(missing_ok=True)


def reports(*paths: Path) -> list[Report]:
    """What was found of these files, and of those in these directories, the oldest first."""
    found = [report for path in paths for each in _reports_of(path) if (report := _read(each))]
    return sorted(found, key=lambda report: report.at)


def all_reports(data_dir: Path) -> list[Report]:
    """What was found of all files of a data directory, the oldest first."""
    return reports(data_dir, *data_dir.glob("router-*"), *data_dir.glob("router-*/bindings"))


def set_aside(path: Path) -> Path:
    """Keep a copy of a damaged file, which its owner goes on with; return its name. OSError."""
    kept = dated(path, _MARK)
    os.link(path, kept)
    return kept


def _reports_of(path: Path) -> Iterator[Path]:
    if path.is_dir():
        return path.glob(f"*{_MARK}*{_REPORT}")
    return path.parent.glob(f"{path.name}{_MARK}*{_REPORT}")


def _read(path: Path) -> Report | None:
    try:
        return Report(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _write(
    database: sqlite3.Connection, rows: Iterator[Row], older: Sequence[Row], version: int, plan: Plan
) -> tuple[int, list[str]]:
    """Fill the database; how many rows it has, and what is missing."""
    database.executescript(f"PRAGMA synchronous = FULL; BEGIN; {plan.script} {plan.memory}")
    filling = _Filling(database, plan.rows)
    for row in rows:
        filling.put(row)
    for row in older:
        filling.put_older(row)
    missing = [str(each) for (each,) in database.execute(plan.missing)] if plan.missing else []
    database.executescript(f"BEGIN; {plan.settle} PRAGMA user_version = {version}; COMMIT;")
    return filling.count, missing


class _Filling:
    """Puts rows into the tables that they are recognised to be of. `count`: how many, notes for `missing` apart."""

    def __init__(self, database: sqlite3.Connection, tables: Mapping[str, Recognise]) -> None:
        self.count = 0
        self._database, self._tables = database, tables

    def put(self, row: Row) -> None:
        """A row of the file as it is; it takes the place of another one."""
        for statement, recognise in self._tables.items():
            if (values := recognise(row)) is not None:
                self._insert(statement, values)
                return

    def put_older(self, row: Row) -> None:
        """A row that was there, if nothing is in its place now: what superseded it is in the same log, or the file."""
        for statement, recognise in self._tables.items():
            if (values := recognise(row)) is not None:
                self._insert(statement.replace("OR REPLACE", "OR IGNORE"), values)
                return

    def _insert(self, statement: str, values: Sequence[Any]) -> None:
        inserted = self._database.execute(statement, values).rowcount
        self.count += inserted * ("temp." not in statement)


def _frames_seen(path: Path) -> int | None:
    """Of a log that is open, how many frames SQLite has found good; None if it keeps that to itself."""
    try:
        with shm_of(path).open("rb") as file:
            head = file.read(_FRAMES_SEEN_AT + 4)
    except OSError:
        return None
    return int.from_bytes(head[_FRAMES_SEEN_AT:], "little") if len(head) == _FRAMES_SEEN_AT + 4 else None
