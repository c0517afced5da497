from pathlib import Path

from switchboard.journal.naming import lasting_name
from switchboard.storage.restoring import prepare


def test_the_first_name_stays(tmp_path: Path) -> None:
    path = tmp_path / "journal.name"
    assert lasting_name(path, "north") == "north"
    assert lasting_name(path, "south") == "north"


def test_a_name_comes_back_with_a_backup(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.name", tmp_path / "backup"
    backup.write_text("north\n")
    lasting_name(path, "spare")
    prepare(backup, path)
    assert lasting_name(path, "spare") == "north"


def test_a_full_disk_keeps_nobody_from_having_a_name(tmp_path: Path) -> None:
    path = tmp_path / "journal.name"
    path.with_name("journal.name.new").mkdir()
    assert lasting_name(path, "north") == "north"
    assert not path.exists()


def test_what_stands_there_is_taken_as_far_as_a_database_can_store_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.name"
    path.write_bytes(b" \xff\0" + b"x" * 1000)
    assert lasting_name(path, "north") == "\ufffd" + "x" * 254
    path.write_bytes(b"\n")
    assert lasting_name(path, "north") == "north"
