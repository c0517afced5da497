import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from journal.scripts import finished

from switchboard.journal.ledger import RowsRefused
from switchboard.journal.moving import Step, into_file, into_table
from switchboard.journal.row import Row
from switchboard.journal.spool import PART_BYTES

HERE = "here"


class MemoryTable:
    def __init__(self, *rows: Row) -> None:
        self.rows = {row.id: row for row in rows}

    def add(self, rows: Sequence[Row]) -> int:
        before = len(self.rows)
        self.rows |= {row.id: row for row in rows}
        return len(self.rows) - before

    def pages(self) -> Iterator[list[Row]]:
        rows = list(self.rows.values())
        for start in range(0, len(rows), 2):
            yield rows[start : start + 2]


def lines(*names: str) -> bytes:
    return b"".join(finished(name).to_line() for name in names)


def row(name: str, switchboard: str = HERE) -> Row:
    found = Row.of(lines(name), switchboard)
    assert found
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cdr.jsonl"


def sum_of(steps: Iterator[Step]) -> Step:
    return Step(*map(sum, zip(*steps, strict=True)))


def test_a_file_is_copied_into_a_table_once(path: Path) -> None:
    table = MemoryTable(row("two"))
    path.write_bytes(lines("one", "two") + b"torn\n" + lines("three"))
    assert sum_of(into_table(path, HERE, table)) == Step(4, 2, 1)
    assert sum_of(into_table(path, HERE, table)) == Step(4, 0, 1)
    assert table.rows == {each.id: each for each in map(row, ("one", "two", "three"))}


def test_what_a_table_refuses_is_counted_and_left_out(path: Path) -> None:
    class Table(MemoryTable):
        def add(self, rows: Sequence[Row]) -> int:
            if any(each.call_id == "odd" for each in rows):
                raise RowsRefused
            return super().add(rows)

    path.write_bytes(lines("one", "odd", "two"))
    assert sum_of(into_table(path, HERE, Table())) == Step(3, 2, 0, 1)


def test_a_large_rotated_file_is_copied_in_steps(path: Path) -> None:
    packed = path.with_name("cdr.jsonl.2.gz")
    count = 2 * PART_BYTES // len(lines("1000"))
    packed.write_bytes(gzip.compress(lines(*(str(1000 + each) for each in range(count)))))
    steps = list(into_table(packed, HERE, MemoryTable()))
    assert len(steps) > 1
    assert sum(each.added for each in steps) == count


def test_a_table_is_copied_into_a_file_once(path: Path) -> None:
    table = MemoryTable(row("one"), row("two"), row("three"), row("one", "elsewhere"))
    path.write_bytes(lines("two"))
    assert sum_of(into_file(table, path, HERE)) == Step(4, 3)
    whole = path.read_bytes()
    assert sum_of(into_file(table, path, HERE)) == Step(4, 0)
    assert path.read_bytes() == whole
    other = MemoryTable()
    list(into_table(path, HERE, other))
    assert other.rows == table.rows


def test_a_last_line_without_an_end_is_a_line_too(path: Path) -> None:
    table = MemoryTable()
    path.write_bytes(lines("one", "two")[:-1])
    assert sum_of(into_table(path, HERE, table)) == Step(2, 2)
    table.add([row("three")])
    assert sum_of(into_file(table, path, HERE)) == Step(3, 1)
    assert sum_of(into_table(path, HERE, MemoryTable())) == Step(3, 3)


def test_an_empty_table_makes_an_empty_file(path: Path) -> None:
    assert list(into_file(MemoryTable(), path, HERE)) == []
    assert path.read_bytes() == b""
