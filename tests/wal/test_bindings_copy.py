"""The bindings that a router keeps for a start without the registrar."""

from pathlib import Path

from switchboard.registrar.binding import Binding
from switchboard.wal.bindings_copy import BindingsCopy

LUKAS = [Binding("sip:lukas@10.0.0.9", 1.0, 2e9, path=("<sip:p;lr>",)), Binding("sip:l@h", 0.5, 2e9)]
LENKA = [Binding("sip:lenka@10.0.0.8", 1.0, 2e9)]


def reopened(directory: Path, copy: BindingsCopy) -> BindingsCopy:
    copy.close()
    return BindingsCopy(directory)


def keep(copy: BindingsCopy, number: int, users: dict[str, list[Binding]]) -> None:
    copy.add(users)
    copy.settle(number, users.__contains__)


def test_what_is_not_whole_does_not_hide_what_was_there(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    keep(copy, 7, {"lukas": LUKAS})
    copy.add({"lenka": LENKA})
    assert reopened(tmp_path, copy).load() == (7, {"lukas": LUKAS, "lenka": LENKA})


def test_nothing_was_kept(tmp_path: Path) -> None:
    assert BindingsCopy(tmp_path).load() is None


def test_an_empty_store_was_kept(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    copy.settle(0, {}.__contains__)
    assert reopened(tmp_path, copy).load() == (0, {})


def test_snapshot_and_changes(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    keep(copy, 7, {"lukas": LUKAS, "eva": LENKA, "gone": []})
    copy.put(8, {"lenka": LENKA, "lukas": LUKAS[:1], "eva": []})
    assert reopened(tmp_path, copy).load() == (8, {"lukas": LUKAS[:1], "lenka": LENKA})


def test_a_snapshot_replaces_all_that_was_there(tmp_path: Path) -> None:
    copy = BindingsCopy(tmp_path)
    keep(copy, 7, {"lukas": LUKAS})
    keep(copy, 9, {"lenka": LENKA})
    assert reopened(tmp_path, copy).load() == (9, {"lenka": LENKA})
