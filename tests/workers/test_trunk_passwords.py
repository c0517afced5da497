"""Passwords of trunks: read once, and again whenever their file is another."""

from pathlib import Path

import pytest

from switchboard.workers import trunk_passwords
from switchboard.workers.trunk_passwords import Passwords


def keep(path: Path, password: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{password}\n")
    fresh.chmod(0o600)
    fresh.replace(path)


def test_a_new_password_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "p"
    passwords = Passwords({"p": path})
    assert passwords.of("p") == ""
    for password in ("one", "two", "six"):
        keep(path, password)
        assert passwords.of("p") == password
    path.unlink()
    assert passwords.of("p") == ""


def test_a_file_that_others_may_read_holds_none(tmp_path: Path) -> None:
    path = tmp_path / "p"
    keep(path, "one")
    passwords = Passwords({"p": path})
    assert passwords.of("p") == "one"
    path.chmod(0o644)
    assert passwords.of("p") == ""
    path.chmod(0o600)
    assert passwords.of("p") == "one"


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p"
    keep(path, "one")
    texts = iter(["one"])
    monkeypatch.setattr(trunk_passwords, "read_password", lambda *_: next(texts))
    passwords = Passwords({"p": path})
    assert [passwords.of("p"), passwords.of("p")] == ["one", "one"]
