"""None"""

import errno
import os
from pathlib import Path

import pytest
from full_disk import file_limit
from journal.scripts import finished

from switchboard.journal.file import Mark, RecordWriter, lines_from_end, read_part_before, read_records
from switchboard.journal.record import CallDetailRecord

ONE, TWO, THREE = (finished(name) for name in ("one", "two", "three"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cdr.jsonl"


def lines(*records: CallDetailRecord) -> bytes:
    return b"".join(record.to_line() for record in records)


def append(path: Path, *records: CallDetailRecord) -> Mark:
    writer = RecordWriter(path)
    try:
        return writer.append(lines(*records))
    finally:
        writer.close()


def beyond(path: Path, mark: Mark) -> list[CallDetailRecord]:
    writer = RecordWriter(path)
    try:
        return writer.records_beyond(mark)
    finally:
        writer.close()


def test_appends_and_says_where_it_is(path: Path) -> None:
    assert append(path, ONE) == (path.stat().st_ino, len(lines(ONE)))
    assert append(path, TWO, THREE).offset == path.stat().st_size
    assert path.read_bytes() == lines(ONE, TWO, THREE)


def test_records_beyond_a_mark(path: Path) -> None:
    mark = append(path, ONE)
    assert beyond(path, mark) == []
    append(path, TWO, THREE)
    assert beyond(path, mark) == [TWO, THREE]
    assert beyond(path, Mark(0, 0)) == [ONE, TWO, THREE]


def test_of_another_or_a_shorter_file_all_is_beyond(path: Path) -> None:
    mark = append(path, ONE, TWO)
    assert beyond(path, Mark(mark.inode + 1, mark.offset)) == [ONE, TWO]
    os.truncate(path, len(lines(ONE)))
    assert beyond(path, mark) == [ONE]


@pytest.mark.parametrize("torn", [b"{", lines(TWO)[:-2], b"\0" * 100, b"no record"])
@pytest.mark.parametrize("before", [b"", lines(ONE), b"\n"])
def test_a_torn_last_line_is_removed(path: Path, before: bytes, torn: bytes) -> None:
    path.write_bytes(before + torn)
    append(path, THREE)
    assert path.read_bytes() == before + lines(THREE)


def test_a_last_line_that_only_lacks_its_newline_gets_it(path: Path) -> None:
    path.write_bytes(lines(ONE, TWO)[:-1])
    append(path, THREE)
    assert path.read_bytes() == lines(ONE, TWO, THREE)


@pytest.mark.parametrize("successor", [None, b"", lines(THREE)])
def test_a_file_moved_away_is_left_alone(path: Path, successor: bytes | None) -> None:
    writer = RecordWriter(path)
    writer.append(lines(ONE))
    rotated = path.rename(path.with_suffix(".1"))
    if successor is not None:
        path.write_bytes(successor)
    mark = writer.append(lines(TWO))
    writer.close()
    assert rotated.read_bytes() == lines(ONE)
    assert path.read_bytes() == (successor or b"") + lines(TWO)
    assert mark == (path.stat().st_ino, path.stat().st_size)


def test_a_file_cut_in_place_is_gone_on_with(path: Path) -> None:
    writer = RecordWriter(path)
    writer.append(lines(ONE))
    os.truncate(path, 0)
    assert writer.append(lines(TWO)).offset == len(lines(TWO))
    writer.close()
    assert path.read_bytes() == lines(TWO)


def test_a_directory_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RecordWriter(path / "deeper")


def test_without_room_no_line_is_there_in_part(path: Path) -> None:
    writer = RecordWriter(path)
    writer.append(lines(ONE))
    with file_limit(len(lines(ONE)) + 20):
        for _ in range(2):
            with pytest.raises(OSError, match="File too large"):
                writer.append(lines(TWO))
            assert path.read_bytes() == lines(ONE)
    assert writer.append(lines(TWO, THREE)).offset == path.stat().st_size
    writer.close()
    assert path.read_bytes() == lines(ONE, TWO, THREE)


@pytest.mark.parametrize("call", ["write", "fsync", "ftruncate"])
def test_half_a_line_that_cannot_be_cut_is_cut_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A disk that fails in the middle, and refuses everything for a while."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "injected")

    writer = RecordWriter(path)
    writer.append(lines(ONE))
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", lambda fd, data: os.pwrite(fd, data[:9], os.fstat(fd).st_size))
        broken.setattr(os, "fsync", refuse)
        broken.setattr(os, call, refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="injected"):
                writer.append(lines(TWO))
    writer.append(lines(TWO))
    writer.close()
    assert path.read_bytes() == lines(ONE, TWO)


def test_no_file_means_no_calls(tmp_path: Path) -> None:
    assert list(read_records(tmp_path / "cdr.jsonl")) == []


def test_records_in_order_and_torn_or_foreign_lines_told(tmp_path: Path) -> None:
    path = tmp_path / "cdr.jsonl"
    one, two = finished("one"), finished("two")
    path.write_bytes(b"# notes\n" + one.to_line() + b"\n" + two.to_line() + one.to_line()[:50])
    skipped: list[int] = []
    assert list(read_records(path, skipped.append)) == [one, two]
    assert skipped == [1, 3, 5]
    assert list(read_records(path)) == [one, two]


def test_lines_from_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cdr.jsonl"
    assert list(lines_from_end(path)) == []
    lines = [b"%d\n" % number for number in range(100)]
    path.write_bytes(b"".join(lines))
    for part in (1, 7, 1000):
        monkeypatch.setattr("switchboard.journal.file.PART_BYTES", part)
        assert list(lines_from_end(path)) == lines[::-1]


def test_parts_before_a_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_part_before(path, -1) == (0, [])
    append(path, ONE, TWO, THREE)
    one, two, three = (each.to_line() for each in (ONE, TWO, THREE))
    assert read_part_before(path, -1) == (0, [one, two, three])
    assert read_part_before(path, len(one)) == (0, [one])
    monkeypatch.setattr("switchboard.journal.file.PART_BYTES", len(two + three) + 1)
    assert read_part_before(path, 10**12) == (len(one), [two, three])
    monkeypatch.setattr("switchboard.journal.file.PART_BYTES", 10)
    assert read_part_before(path, -1) == (len(one + two + three) - 10, []), "within a line that is longer"
