import sys
from pathlib import Path

import pytest

from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.users import check_users, open_users


def test_a_file_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    settings = Settings(data_dir=tmp_path)
    check_users(settings)
    store = open_users(settings, follows=True)
    assert store.users() == []
    assert store.fd is None
    store.go_on()
    store.close()


def test_without_psycopg_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    settings = Settings(data_dir=tmp_path, users_store="postgresql://h/d")
    with pytest.raises(
        SettingsError, match=r"users are on PostgreSQL.*pip install 'switchboard\[postgres\]'"
    ):
        check_users(settings)
