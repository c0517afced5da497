"""The file of the API's tokens."""

from pathlib import Path

import pytest

from switchboard.auth.api_tokens import MOST, PREFIX, ApiTokens
from switchboard.storage.unusable import NotWritten, UnusableFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.tokens"


def test_a_token_is_found_and_not_kept(path: Path) -> None:
    tokens = ApiTokens(path)
    shown = tokens.add("billing", True, 1.0)
    assert shown is not None
    assert shown.startswith(PREFIX)
    found = tokens.find(shown)
    assert found is not None
    assert (found.name, found.read_only, found.made_at) == ("billing", True, 1.0)
    assert shown not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert found.digest not in repr(found)


@pytest.mark.parametrize("guess", ["", "sbt_", "billing", "\udcff", "sbt_" + "A" * 43])
def test_what_is_none_is_not_found(path: Path, guess: str) -> None:
    tokens = ApiTokens(path)
    assert tokens.find(guess) is None
    tokens.add("billing", False, 1.0)
    assert tokens.find(guess) is None


def test_who_has_the_file_open_sees_each_change_at_once(path: Path) -> None:
    console, command = ApiTokens(path), ApiTokens(path)
    shown = [command.add(name, False, 1.0) or "" for name in ("one", "two")]
    assert all(console.find(each) for each in shown)
    assert command.remove("one")
    assert [console.find(each) is None for each in shown] == [True, False]
    path.unlink()
    assert console.find(shown[1]) is None


def test_names_are_unique(path: Path) -> None:
    tokens = ApiTokens(path)
    assert tokens.add("one", False, 1.0)
    assert tokens.add("one", True, 2.0) is None
    assert [(each.name, each.read_only) for each in tokens.all()] == [("one", False)]
    assert not tokens.remove("two")


def test_there_are_only_so_many(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 100
    monkeypatch.setattr("switchboard.auth.api_tokens.MOST", 1)
    tokens = ApiTokens(path)
    tokens.add("one", False, 1.0)
    with pytest.raises(NotWritten):
        tokens.add("two", False, 1.0)


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"name": "x"}]', "3"])
def test_a_damaged_file_opens_nothing(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UnusableFile, match="is damaged"):
        ApiTokens(path).find("sbt_x")


def test_a_file_that_others_may_read_opens_nothing(path: Path) -> None:
    shown = ApiTokens(path).add("one", False, 1.0)
    path.chmod(0o644)
    with pytest.raises(UnusableFile, match="chmod 600"):
        ApiTokens(path).find(shown or "")


def test_where_nothing_can_be_written_nothing_changes(path: Path) -> None:
    tokens = ApiTokens(path / "none" / "api.tokens")
    with pytest.raises(NotWritten, match="No such file"):
        tokens.add("one", False, 1.0)
