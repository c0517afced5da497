from pathlib import Path

from journal.scripts import finished

from switchboard.journal.reader import read_records


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
