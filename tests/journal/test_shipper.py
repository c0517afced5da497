import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from journal.ledgers import AWAY, Crash, MemoryDatabase, Trouble
from journal.scripts import finished

from switchboard.journal.file import RecordWriter
from switchboard.journal.row import Row
from switchboard.journal.shipper import Shipper
from switchboard.journal.spool import PART_BYTES, Spool
from switchboard.storage.unusable import RemoteError

HERE = "here"


def line(name: str) -> bytes:
    return finished(name).to_line()


class Site:
    """A journal's directory, a database, and a shipper between them."""

    def __init__(self, directory: Path, database: MemoryDatabase | None = None) -> None:
        self.path = directory / "cdr.jsonl"
        self.database = database or MemoryDatabase()
        self.warnings: list[str] = []
        self.shipper = self.made()

    def made(self, name: str = HERE) -> Shipper:
        return Shipper(Spool(self.path), name, self.database.connect, self.warnings.append)

    def again(self, name: str = HERE) -> None:
        """The worker was killed, and another one started."""
        self.shipper.close()
        self.shipper = self.made(name)

    def write(self, *names: str) -> None:
        with self.path.open("ab") as file:
            file.writelines(map(line, names))
        self.shipper.told(len(names))

    def rotate(self, number: int = 1) -> Path:
        return self.path.rename(self.path.with_name(f"cdr.jsonl.{number}"))

    def ship(self) -> None:
        while self.shipper.step():
            pass

    def names(self) -> list[str]:
        return sorted(row.call_id for row in self.database.rows.values())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.shipper.close()


def test_all_that_is_there_is_shipped_and_what_comes_then(site: Site) -> None:
    site.ship()
    site.write("one", "two")
    site.ship()
    site.write("three")
    site.ship()
    assert site.names() == ["one", "three", "two"]
    assert (site.database.shipped, site.shipper.shipped, site.shipper.waiting) == (3, 3, 0)


def test_the_next_shipper_goes_on_behind_the_last_row(site: Site) -> None:
    site.write("one", "two")
    site.ship()
    site.again()
    site.write("three")
    site.ship()
    assert (site.names(), site.database.shipped) == (["one", "three", "two"], 3)


def test_a_line_is_shipped_when_it_is_whole(site: Site) -> None:
    whole = line("one")
    site.path.write_bytes(whole[:-30])
    site.ship()
    assert not site.names()
    site.path.write_bytes(whole)
    site.ship()
    assert site.names() == ["one"]


def test_a_backlog_is_shipped_in_parts_and_counted(site: Site) -> None:
    count = 3 * PART_BYTES // len(line("1000"))
    site.path.write_bytes(b"".join(line(f"{1000 + each}") for each in range(count)))
    assert site.shipper.step()
    assert 0 < site.shipper.shipped <= PART_BYTES // len(line("1000"))
    assert site.shipper.waiting == count - site.shipper.shipped
    site.ship()
    assert (len(site.names()), site.shipper.waiting) == (count, 0)


def test_what_was_rotated_while_nobody_shipped_comes_first(site: Site) -> None:
    site.write("one", "two")
    site.ship()
    site.again()
    for number, name in enumerate(["three", "four", "five"], 1):
        site.write(name)
        site.rotate(number)
        os.utime(site.path.with_name(f"cdr.jsonl.{number}"), ns=(number, number))
    site.write("six")
    site.ship()
    shipped = [row.call_id for row in site.database.rows.values()]
    assert shipped == ["one", "two", "three", "four", "five", "six"]
    assert site.shipper.waiting == 0


def test_a_file_that_is_rotated_in_mid_ship_is_shipped_to_its_end(site: Site) -> None:
    site.write("one")
    site.ship()
    moved = site.rotate()
    with moved.open("ab") as file:
        file.write(line("late"))
    site.ship()
    site.write("two")
    with moved.open("ab") as file:
        file.write(line("in the same batch"))
    site.ship()
    assert site.names() == sorted(["one", "late", "two", "in the same batch"])


def test_a_file_that_is_removed_in_mid_ship_is_shipped_to_its_end(site: Site) -> None:
    site.write("one")
    site.ship()
    site.write("two")
    site.rotate().unlink()
    site.write("three")
    site.ship()
    assert site.names() == ["one", "three", "two"]


def test_a_rotated_file_may_be_compressed(site: Site) -> None:
    site.write("one", "two")
    site.ship()
    site.again()
    site.write("three")
    moved = site.rotate()
    with gzip.open(f"{moved}.gz", "wb") as file:
        file.write(moved.read_bytes())
    moved.unlink()
    site.write("four")
    site.ship()
    assert (site.names(), site.database.shipped) == (["four", "one", "three", "two"], 4)


@pytest.mark.parametrize("name", ["cdr.jsonl.1.gz", "cdr.jsonl.1.xz", "cdr.jsonl.1.bz2"])
def test_a_rotated_file_that_is_damaged_is_named_and_left(site: Site, name: str) -> None:
    whole = gzip.compress(line("one") * 100)
    site.path.with_name(name).write_bytes(whole[: len(whole) // 2])
    site.write("two")
    site.ship()
    assert site.names()[-1] == "two"
    site.database.is_away = True
    with pytest.raises(RemoteError):
        site.shipper.check()
    site.database.is_away = False
    site.ship()
    assert site.shipper.unreadable == 1
    assert [name in each for each in site.warnings] == [True]


def test_files_that_begin_with_the_same_odd_line_are_different_files(site: Site) -> None:
    for number, name in enumerate(["one", "two"], 1):
        site.path.write_bytes(b"torn\n" + line(name))
        moved = site.rotate(number)
        with gzip.open(f"{moved}.gz", "wb") as file:
            file.write(moved.read_bytes())
        moved.unlink()
        site.ship()
    assert site.names() == ["one", "two"]


def test_a_file_that_is_rotated_between_two_looks_at_the_directory_is_shipped(site: Site) -> None:
    site.path.with_name("cdr.jsonl.1").touch()
    site.write("one")
    site.shipper.step()
    site.rotate(2)
    site.ship()
    assert site.names() == ["one"]


def test_a_truncated_file_is_read_from_its_beginning(site: Site) -> None:
    site.write("one", "two")
    site.ship()
    os.truncate(site.path, 0)
    site.ship()
    site.write("three", "four", "five")
    site.ship()
    assert site.names() == sorted(["one", "two", "three", "four", "five"])


def test_a_file_that_was_edited_is_read_again(site: Site) -> None:
    site.write("one", "two", "three")
    site.ship()
    site.path.write_bytes(line("one") + line("four") + line("five") + line("six"))
    site.ship()
    assert site.names() == sorted(["one", "two", "three", "four", "five", "six"])


def test_a_backup_that_was_restored_adds_nothing(site: Site) -> None:
    site.write("one", "two")
    shutil.copy(site.path, site.path.with_name("backup"))
    site.ship()
    site.write("three")
    site.ship()
    site.again()
    site.path.rename(site.path.with_name("cdr.jsonl.before-restore-20261130"))
    shutil.copy(site.path.with_name("backup"), site.path)
    site.ship()
    assert site.names() == ["one", "three", "two"]


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_database_that_has_lost_rows_gets_them_again(site: Site, is_killed: bool) -> None:
    site.write("one")
    site.ship()
    kept = dict(site.database.rows), dict(site.database.known)
    site.write("two")
    site.ship()
    site.database.is_away = True
    with pytest.raises(RemoteError):
        site.shipper.check()
    site.database.rows, site.database.known = kept
    site.database.is_away = False
    if is_killed:
        site.again()
    site.ship()
    assert site.names() == ["one", "two"]


def test_two_switchboards_ship_the_same_call(tmp_path: Path) -> None:
    database = MemoryDatabase()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        site = Site(tmp_path / name, database)
        site.again(name)
        site.write("call", f"of {name}")
        site.ship()
        site.shipper.close()
    found = sorted((row.switchboard, row.call_id) for row in database.rows.values())
    assert found == [("one", "call"), ("one", "of one"), ("other", "call"), ("other", "of other")]


def test_lines_without_a_record_are_left_out_counted_and_named(site: Site) -> None:
    too_long = b"x" * (2 * PART_BYTES) + b"\n"
    lines = [line("one"), b"torn\n", b"\0" * 100 + b"\n", line("two"), too_long, line("three"), b"\n"]
    site.path.write_bytes(b"".join(lines))
    site.ship()
    assert site.names() == ["one", "three", "two"]
    assert (site.shipper.damaged, site.shipper.waiting) == (4, 0)
    assert all(str(site.path) in each for each in site.warnings)


def test_rows_that_cannot_be_stored_are_left_out_and_no_others(tmp_path: Path) -> None:
    site = Site(tmp_path, MemoryDatabase(lambda row: row.call_id in ("3", "4", "9")))
    site.write(*map(str, range(10)))
    site.ship()
    assert site.names() == [str(each) for each in range(10) if each not in (3, 4, 9)]
    assert site.shipper.refused == 3
    assert site.warnings[0].startswith("PostgreSQL cannot store the record of call 3: it is odd")
    site.again()
    site.ship()
    assert site.shipper.shipped == site.shipper.refused == 0
    site.shipper.close()


def test_while_the_database_is_away_it_is_known_how_many_wait(site: Site) -> None:
    site.database.is_away = True
    site.write("one", "two")
    for _ in range(3):
        with pytest.raises(RemoteError):
            site.ship()
    assert site.shipper.waiting == 2
    site.write("three")
    assert site.shipper.waiting == 3
    site.database.is_away = False
    site.ship()
    assert (site.names(), site.shipper.waiting) == (["one", "three", "two"], 0)


def test_how_many_wait_at_a_start_is_guessed_until_the_database_has_been_asked(site: Site) -> None:
    site.write("one", "two", "three")
    site.ship()
    site.again()
    site.write("four")
    site.database.is_away = True
    with pytest.raises(RemoteError):
        site.ship()
    assert site.shipper.waiting == 4
    site.database.is_away = False
    site.ship()
    assert (site.shipper.waiting, site.database.shipped) == (0, 4)


class ShippingUnderFire(RuleBasedStateMachine):
    """Whatever happens, and in whichever order: at the end each record is in the database, once."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.site = Site(Path(self.directory.name))
        self.writer = RecordWriter(self.site.path)
        self.written: set[str] = set()
        self.rotations = 0
        self.is_truncated = False

    @rule(count=st.integers(1, 3))
    def write(self, count: int) -> None:
        names = [f"call {len(self.written) + each}" for each in range(count)]
        self.writer.append(b"".join(map(line, names)))
        self.site.shipper.told(count)
        self.written.update(names)

    @rule()
    def bring_back_an_old_database(self) -> None:
        """Not if records were removed since."""
        if not self.is_truncated:
            self.site.database.is_away = True
            with suppress(RemoteError):
                self.site.shipper.check()
            self.site.database.is_away = False
            self.site.database.rows, self.site.database.known = {}, {}

    @rule()
    def write_damaged(self) -> None:
        self.writer.append(b"torn\n")

    @rule(is_compressed=st.booleans())
    def rotate(self, is_compressed: bool) -> None:
        """As logrotate with `delaycompress`: what is compressed is what nobody writes to."""
        if not self.site.path.exists() or not self.site.path.stat().st_size:
            return
        self.rotations += 1
        moved = self.site.rotate(self.rotations)
        before = moved.with_name(f"cdr.jsonl.{self.rotations - 1}")
        if is_compressed and before.exists():
            times = before.stat()
            with gzip.open(f"{before}.gz", "wb") as file:
                file.write(before.read_bytes())
            os.utime(f"{before}.gz", ns=(times.st_atime_ns, times.st_mtime_ns))
            before.unlink()

    @rule()
    def truncate_what_is_shipped(self) -> None:
        self.ship()
        self.is_truncated = True
        os.truncate(self.writer._fd, 0)  # as its operator may

    @rule(is_committed=st.booleans(), is_killed=st.booleans(), parts=st.integers(0, 2))
    def fail(self, is_committed: bool, is_killed: bool, parts: int) -> None:
        self.site.database.troubles = [Trouble(Crash() if is_killed else AWAY, is_committed)]
        try:
            for _ in range(parts):
                self.site.shipper.step()
        except Crash:
            self.site.again()
        except RemoteError:
            pass
        self.site.database.troubles = []

    @rule()
    def kill(self) -> None:
        self.site.again()

    @rule(is_away=st.booleans())
    def database(self, is_away: bool) -> None:
        self.site.database.is_away = is_away

    @rule()
    def step(self) -> None:
        with suppress(RemoteError):
            self.site.shipper.step()

    def ship(self) -> None:
        self.site.database.is_away = False
        self.site.ship()
        assert set(self.site.names()) == self.written
        assert len(self.site.names()) == len(self.written)
        assert self.site.shipper.waiting == 0

    @invariant()
    def nothing_is_made_up(self) -> None:
        assert set(self.site.names()) <= self.written

    def teardown(self) -> None:
        self.ship()
        self.site.again()
        self.ship()
        self.site.shipper.close()
        self.writer.close()
        self.directory.cleanup()


ShippingUnderFire.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestShippingUnderFire = ShippingUnderFire.TestCase


def test_a_row_of_every_line(site: Site) -> None:
    site.write("one")
    site.ship()
    assert list(site.database.rows.values()) == [Row.of(line("one"), HERE)]
