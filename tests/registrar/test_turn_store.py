"""Whose turn it is, on the disk."""

from pathlib import Path

import pytest
from registrar.test_sqlite import locked

from switchboard.registrar.turn_store import TurnStore, TurnStoreError


def test_what_was_put_is_there_for_a_successor_in_the_order_of_its_age(tmp_path: Path) -> None:
    store = TurnStore(tmp_path / "turns.db")
    store.put({"group:office": 4.0, "lenka": 2.0, "lukas": 3.0})
    store.write()
    store.put({"lukas": None, "lenka": 5.0})
    store.close()
    assert list(TurnStore(tmp_path / "turns.db").read().items()) == [("group:office", 4.0), ("lenka", 5.0)]


def test_what_cannot_be_written_now_is_written_later(tmp_path: Path) -> None:
    path = tmp_path / "turns.db"
    store = TurnStore(path)
    store.put({"lenka": 2.0})
    store.write()
    with locked(path):
        store.put({"lenka": 3.0})
        store.write()
        assert "locked" in store.writing.note()
    store.write()  # tries it, and then writes
    assert (store.writing.error, TurnStore(path).read()) == (0, {"lenka": 3.0})


def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "turns.db").mkdir()
    with pytest.raises(TurnStoreError, match="cannot be used"):
        TurnStore(tmp_path / "turns.db")
