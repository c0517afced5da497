"""The bindings that a router keeps for a start without the registrar."""

from pathlib import Path

from switchboard.registrar.binding import Binding
from switchboard.wal.bindings_copy import BindingsCopy

LUKAS = [Binding("sip:lukas@10.0.0.9", 1.0, 2e9, path=("<sip:p;lr>",)), Binding("sip:l@h", 0.5, 2e9)]
LENKA = [Binding("sip:lenka@10.0.0.8", 1.0, 2e9)]


def reopened(directory: Path, copy: BindingsCopy) -> BindingsCopy:
    copy.close()
    return BindingsCopy(directory)


def test_nothing_was_kept(tmp_path: Path) -> None:
    assert BindingsCopy(tmp_path).load() is None


def test_an_empty_store_was_kept(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    copy.replace((0, {}))
    assert reopened(tmp_path, copy).load() == (0, {})


def test_snapshot_and_changes(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    copy.replace((7, {"lukas": LUKAS, "eva": []}))
    copy.put(8, {"lenka": LENKA, "lukas": LUKAS[:1]})
    assert reopened(tmp_path, copy).load() == (8, {"lukas": LUKAS[:1], "lenka": LENKA, "eva": []})


def test_a_snapshot_replaces_all_that_was_there(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    copy.replace((7, {"lukas": LUKAS}))
    copy.replace((9, {"lenka": LENKA}))
    assert reopened(tmp_path, copy).load() == (9, {"lenka": LENKA})
