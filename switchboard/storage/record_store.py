"""Records on disk (SQLite) that one process owns (`records.py`): one table, in a file for nobody else's eyes."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic

from switchboard.storage.database import Schema
from switchboard.storage.mending import Plan, Recognise
from switchboard.storage.owned_file import OwnedFile
from switchboard.storage.records import A_READING, NOTHING, Page, R, Replica, StoreFollower, Was
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import Writing

SCHEMA_VERSION: Final = 1
_LAST_CHARACTER: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """What a store of one kind holds. `name`: the table's, and for people. `kept`: what stays as it was, for people.

    `types`: of the columns, by name, in the order of a record's values: number, key, content, changed_at.
    `content`: the column that is "" for who was removed. `make`: a record of these values.
    """

    name: str
    kept: str
    types: Mapping[str, str]
    content: str
    make: Callable[..., R]
    error: type[UnusableFile]
    row: Recognise
    """The values of a row as it stands on the disk, its key first."""
    advice: str

    @property
    def columns(self) -> list[str]:
        return list(self.types)

    @property
    def key(self) -> str:
        return self.columns[1]

    @property
    def schema(self) -> Schema:
        """How its file is made and mended."""
        return Schema(
            f"The store of {self.name}",
            SCHEMA_VERSION,
            "use the program that wrote it.",
            self.error,
            self._plan(),
            check="integrity_check",
        )

    def put(self) -> str:
        """The statement that writes a record."""
        return f"INSERT OR REPLACE INTO {self.name} VALUES ({', '.join('?' * len(self.types))})"

    def select(self, where: str) -> str:
        """The statement that finds records."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE {where}"

    def _plan(self) -> Plan:
        name, key = self.name, self.key
        return Plan(
            self._script(),
            {self.put(): self.row, "INSERT INTO temp.named VALUES (?, ?)": _name_in},
            self.advice,
            settle=f"UPDATE store SET number = (SELECT coalesce(max(number), 0) FROM {name});",
            memory=f"CREATE TEMP TABLE named (number, {key});",
            missing=f"SELECT DISTINCT {key} FROM temp.named WHERE {key} NOT IN (SELECT {key} FROM {name}) "
            "ORDER BY number",
            renew="UPDATE store SET series = lower(hex(randomblob(8)));",
        )

    def _script(self) -> str:
        columns = ", ".join(
            f"{each} {of}{' PRIMARY KEY' if each == self.key else ' NOT NULL'}"
            for each, of in self.types.items()
        )
        return f"""
CREATE TABLE IF NOT EXISTS store (series TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS {self.name} ({columns}) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS {self.name}_by_number ON {self.name} (number);
INSERT INTO store SELECT lower(hex(randomblob(8))), 0 WHERE NOT EXISTS (SELECT 1 FROM store);
"""


def _name_in(row: Any) -> Sequence[Any] | None:
    """An entry of the index by number."""
    match row:
        case None, [int(number), str(key)]:
            return number, key
    return None


class RecordStore(OwnedFile, Generic[R]):
    """The owner's end: its process's, or a command's while that does not run."""

    table: Table[R]
    """Of a subclass."""
    joined = 0
    """Records of this file that were put to those of others."""

    def __init__(self, path: Path) -> None:
        """`table.error` if the file cannot be used."""
        super().__init__(path, self.table.schema, Writing(self.table.name, self.table.kept))

    def make(self, *values: Any) -> R:
        """A record of these values."""
        return self.table.make(*values)

    @property
    def fd(self) -> int | None:
        """Readable when others have changed something; None: there are no others."""
        return None

    def go_on(self) -> None:
        """Take over what others have changed. `table.error`."""

    def state(self) -> tuple[str, int]:
        """The series, and the number of the last change. `table.error`."""
        with self._schema.explained(self._path):
            series, number = self._database.execute("SELECT series, number FROM store").fetchone()
        return series, number

    def write(self, records: Sequence[R]) -> Mapping[str, Was]:
        """Keep these, whatever their numbers are, durable when this returns; what they were before. NotWritten."""
        return self._put(records, is_merged=False)

    def remove_record(self, gone: R) -> bool:
        """Keep that it was removed, durable when this returns; False if there was none. NotWritten."""
        with self._change():
            if not self._was(gone.key).is_there:
                return False
            self._write(gone)
        return True

    def merge(self, records: Sequence[R]) -> int:
        """Take those that were changed later than what is here, removed ones too; how many these are. NotWritten."""
        before = self._put(records, is_merged=True)
        return sum(each.changed_at > before[each.key].changed_at for each in records)

    def _put(self, records: Sequence[R], is_merged: bool) -> Mapping[str, Was]:
        with self._change():
            before = {each.key: self._was(each.key) for each in records}
            for each in records:
                if not is_merged or each.changed_at > before[each.key].changed_at:
                    self._write(each)
        return before

    def _was(self, key: str) -> Was:
        record = self._find(key)
        return Was(record.changed_at, not record.is_removed) if record else NOTHING

    def _find(self, key: str) -> R | None:
        row = self._database.execute(self.table.select(f"{self.table.key} = ?"), (key,)).fetchone()
        return None if row is None else self.make(*row)

    def find(self, key: str) -> R | None:
        """The record of that key; None if there is none."""
        record = self._find(key)
        return None if record is None or record.is_removed else record

    def page(self, after: int, at_most: int) -> Page[R]:
        """The next `at_most` changes after the number `after` (0: from the first). `table.error`."""
        with self._schema.explained(self._path):
            return _read_page(self.table, self._database, after, at_most)

    def adopt(self, page: Page[R]) -> None:
        """Hold what `page`, of another store, says: this one becomes a copy of that. NotWritten."""
        with self._change():
            if page.after == 0:
                self._database.execute(f"DELETE FROM {self.table.name}")
            number = page.records[-1].number if page.records else page.after
            self._database.execute("UPDATE store SET series = ?, number = ?", (page.series, number))
            self._database.executemany(self.table.put(), [list(each) for each in page.records])

    def all(self) -> list[R]:
        """All records, by key."""
        found = self.page(0, -1).records
        return sorted((each for each in found if not each.is_removed), key=lambda each: each.key)

    def named(self, prefix: str, after: str, at_most: int) -> list[R]:
        """The next `at_most` records whose keys begin so and follow the key `after` ("": from the first), by key."""
        key, content = self.table.key, self.table.content
        where = f"{key} > ? AND {key} >= ? AND {key} < ? AND {content} != '' ORDER BY {key} LIMIT ?"
        values = after, prefix, prefix + _LAST_CHARACTER, at_most
        return [self.make(*row) for row in self._database.execute(self.table.select(where), values)]

    def _write(self, record: R) -> None:
        self._database.execute("UPDATE store SET number = number + 1")
        self._database.execute(self.table.put(), (self.state()[1], *list(record)[1:]))


class OwnFollower(Generic[R]):
    """Keeps a replica as the store is that its own process has, from the beginning on."""

    def __init__(self, replica: Replica[R], store: RecordStore[R]) -> None:
        self.replica = replica
        self._store = store
        self._follower = StoreFollower(replica, lambda after: store.page(after, A_READING))
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what has changed."""
        try:
            self._follower.told(*self._store.state())
        except UnusableFile:  # what is known of it stays in force
            self._store.try_again()


def read_page(table: Table[R], path: Path, after: int, at_most: int) -> Page[R] | None:
    """As `RecordStore.page`, without disturbing the writer; None if there is no store yet."""
    schema = table.schema
    with schema.explained(path):
        database = schema.open_to_read(path)
        if database is None:
            return None
        with closing(database):
            return _read_page(table, database, after, at_most)


def _read_page(table: Table[R], database: sqlite3.Connection, after: int, at_most: int) -> Page[R]:
    database.execute("BEGIN")
    try:
        (series,) = database.execute("SELECT series FROM store").fetchone()
        limit = at_most + 1 if at_most >= 0 else -1
        since = table.select("number > ? ORDER BY number LIMIT ?")
        rows = database.execute(since, (after, limit)).fetchall()
    finally:
        database.execute("COMMIT")
    records = [table.make(*row) for row in (rows[:at_most] if at_most >= 0 else rows)]
    return Page(series, after, records, more=len(rows) > len(records))
