"""The file of a registration: whole, private, and anew if it is damaged."""

from pathlib import Path

import pytest

from switchboard.storage.unusable import NotWritten
from switchboard.trunks.registration import Saved
from switchboard.trunks.state_file import StateFile


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trunks" / "p.json"
    saved = Saved("c", "t", cseq=7, until_at=12.5)
    StateFile(path).write(saved)
    file = StateFile(path)
    assert file.read() == saved
    assert not file.was_damaged
    assert path.stat().st_mode & 0o077 == 0


def test_each_begins_with_another_call_id(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "p.json")
    assert file.read().call_id != file.read().call_id
    assert not file.was_damaged


@pytest.mark.parametrize("text", ["", "{", '{"call_id": 1}', "\udcff"])
def test_a_damaged_file_begins_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text, "utf-8", "surrogateescape")
    file = StateFile(path)
    assert file.read().cseq == 0
    assert file.was_damaged


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "trunks").write_text("no directory")
    with pytest.raises(NotWritten, match=r"p\.json"):
        StateFile(tmp_path / "trunks" / "p.json").write(Saved("c", "t"))
