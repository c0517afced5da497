"""What the presence worker keeps on the disk."""

from contextlib import closing
from pathlib import Path

import pytest
from full_disk import file_limit

from switchboard.presence.store import PresenceError, PresenceStore
from switchboard.storage.unusable import NotWritten


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    with closing(PresenceStore(tmp_path / "presence.db")) as store:
        store.write({"sa": b"1", "sb": b"2", "pc": b"3"})
        store.write({"sb": None, "sa": b"4"})
        store.write({})
    assert (tmp_path / "presence.db").stat().st_mode & 0o077 == 0
    with closing(PresenceStore(tmp_path / "presence.db")) as store:
        assert dict(store.read()) == {"sa": b"4", "pc": b"3"}


def test_a_file_that_is_taken_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    with closing(PresenceStore(path)) as store:
        store.write({"sa": b"1"})
        for each in tmp_path.glob("presence.db*"):
            each.unlink()
        store.write({"sb": b"2"})
    with closing(PresenceStore(path)) as store:
        assert dict(store.read()) == {"sa": b"1", "sb": b"2"}


def test_what_cannot_be_written_waits_for_another_try(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    with closing(PresenceStore(path)) as store:
        store.write({"sa": b"1"})
        with file_limit(path.stat().st_size), pytest.raises(NotWritten):
            store.write({"sb": b"2"})
        with pytest.raises(NotWritten):
            store.write({"sb": b"2"})
        store.try_again()
        store.write({"sc": b"3"})
        assert dict(store.read()) == {"sa": b"1", "sc": b"3"}


def test_a_damaged_file_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    with closing(PresenceStore(path)) as store:
        store.write({"sa": b"1" * 100})
    octets = bytearray(path.read_bytes())
    octets[:100] = b"x" * 100
    path.write_bytes(octets)
    with closing(PresenceStore(path)) as store:
        assert dict(store.read()) in ({"sa": b"1" * 100}, {})


def test_another_programs_file(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    with closing(PresenceStore(path)) as store:
        store._database.execute("PRAGMA user_version = 99")
    with pytest.raises(PresenceError, match="schema 99"):
        PresenceStore(path)


def test_while_the_disk_lets_nobody_open_it_what_it_holds_is_known(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    with closing(PresenceStore(path)) as store:
        store.write({"sa": b"1"})
    with file_limit(1), closing(PresenceStore(path)) as again:
        assert dict(again.read()) == {"sa": b"1"}
        with pytest.raises(NotWritten):
            again.write({"sb": b"2"})
