"""The keyed log against a plain dictionary, over crashes; and its native twin against the reference."""

import errno
import os
import shutil
import struct
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import pytest
from full_disk import file_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from storage.damage import flip

from switchboard.storage.mending import reports
from switchboard.wal import segment
from switchboard.wal.keyed_log import KeyedLog, KeyedLogInPython
from switchboard.wal.segment import MOST_READ, WAITING_BYTES, SegmentError, read

Log = KeyedLog | KeyedLogInPython
MakeLog = Callable[..., Log]


@pytest.fixture(params=[KeyedLog, KeyedLogInPython], ids=["of the board", "reference"])
def make_log(request: pytest.FixtureRequest) -> Any:
    """The kind that routers use here, and the reference."""
    return request.param


def reopened(directory: Path, make_log: MakeLog = KeyedLog) -> dict[bytes, bytes]:
    """What the next process finds."""
    log = make_log(directory, segment_bytes=400)
    found = dict(log.items())
    log.close()
    return found


def test_what_is_committed_is_there_again(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.put(b"a", b"1")
    log.put(b"b", b"2")
    log.put(b"a", b"3")
    log.erase(b"b")
    log.erase(b"never there")
    log.commit()
    log.put(b"c", b"not committed")
    assert reopened(tmp_path, make_log) == {b"a": b"3"}


def write(directory: Path, make_log: MakeLog, commits: int = 40) -> dict[bytes, bytes]:
    """A log of one segment, each commit of which sets two keys."""
    log = make_log(directory)
    for number in range(commits):
        log.put(b"key%d" % number, bytes([number]) * (number * 7 % 90))
        log.put(b"last", b"%d" % number)
        log.commit()
    log.close()
    return {b"key%d" % number: bytes([number]) * (number * 7 % 90) for number in range(commits)} | {
        b"last": b"%d" % (commits - 1)
    }


@pytest.mark.parametrize("part", ["checksum", "length", "length of a key", "value"])
def test_a_flipped_bit_costs_one_commit(make_log: MakeLog, tmp_path: Path, part: str) -> None:
    expected = write(tmp_path / "log", make_log)
    path = min((tmp_path / "log").iterdir())
    data = path.read_bytes()
    start = data.index(b"key20") - segment.RECORD_BYTES - segment.COMMIT_BYTES
    before = {"checksum": 0, "length": 5, "length of a key": 9, "value": 30}[part]
    flip(path, start + before)
    log = make_log(tmp_path / "log")
    del expected[b"key20"]
    assert dict(log.items()) == expected
    assert log.is_behind
    [report] = reports(tmp_path / "log")
    assert report.found.startswith("1 of its commits")
    assert (tmp_path / "log" / report.kept_as).read_bytes() == path.read_bytes()
    log.put(b"key20", b"again")
    log.commit()
    log.close()
    assert reopened(tmp_path / "log", make_log) == expected | {b"key20": b"again"}
    assert len(reports(tmp_path / "log")) == 1


@given(st.integers(0, 2000).filter(lambda place: place != 6), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_both_read_the_same_of_a_damaged_log(place: int, other: int) -> None:
    found = []
    for kind in (KeyedLog, KeyedLogInPython):
        with tempfile.TemporaryDirectory() as directory:
            written = write(Path(directory), kind)
            path = min(Path(directory).iterdir())
            data = bytearray(path.read_bytes())
            data[place] ^= other
            path.write_bytes(data)
            log = kind(Path(directory))
            found.append((dict(log.items()), log.is_behind))
            log.close()
    assert found[0] == found[1]
    kept = found[0][0]
    assert len(written) - 1 <= len(kept) + (place > len(data) - 60)
    assert all(written[key] == value for key, value in kept.items() if key != b"last")


def test_a_torn_commit_is_as_if_it_had_never_been(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.put(b"a", b"1")
    log.commit()
    before = log.size
    log.put(b"b", b"3")
    log.put(b"a", b"2" * 50)
    log.commit()
    path = max(tmp_path.iterdir())
    whole = path.read_bytes()
    for cut in range(1, log.size - before):
        path.write_bytes(whole[:-cut])
        assert dict(read(path)) == {b"a": b"1"}


@pytest.mark.parametrize("start", [b"something else", b"\x00\x00"])
def test_a_file_that_is_not_ours_is_told_of(make_log: MakeLog, tmp_path: Path, start: bytes) -> None:
    (tmp_path / "0000000001.log").write_bytes(start)
    log = make_log(tmp_path)
    assert dict(log.items()) == {}
    assert len(reports(tmp_path)) == 1
    log.close()


@pytest.mark.parametrize("name", ["copy.log", "1.log", "0000000001 (copy).log", "000000000١.log"])
def test_what_somebody_has_put_beside_the_files_is_left_alone(
    make_log: MakeLog, tmp_path: Path, name: str
) -> None:
    log = make_log(tmp_path)
    log.put(b"a", b"1")
    log.commit()
    log.close()
    (tmp_path / name).write_bytes(b"anything")
    (tmp_path / "directory.log").mkdir()
    assert reopened(tmp_path, make_log) == {b"a": b"1"}
    assert (tmp_path / name).read_bytes() == b"anything"
    assert reports(tmp_path) == []


@pytest.mark.parametrize("start", [b"SWBLOG\x01\n", b"SWBLOG\x63\n"])
def test_another_version_is_refused(make_log: MakeLog, tmp_path: Path, start: bytes) -> None:
    (tmp_path / "0000000001.log").write_bytes(start)
    with pytest.raises(SegmentError, match="0000000001.log"):
        make_log(tmp_path)


def test_it_stays_small(make_log: MakeLog, tmp_path: Path) -> None:
    """Long-lived keys among many short-lived ones: the size follows what is alive."""
    log = make_log(tmp_path, segment_bytes=4000)
    for number in range(20):
        log.put(b"long %d" % number, b"x" * 100)
    for number in range(5000):
        log.put(b"short %d" % number, b"y" * 100)
        if number >= 10:
            log.erase(b"short %d" % (number - 10))
        log.commit()
    assert len(log) == 30
    assert log.size < 20_000
    assert log.size == sum(path.stat().st_size - 8 for path in tmp_path.iterdir())
    assert len(reopened(tmp_path, make_log)) == 30


KEYS = st.binary(min_size=1, max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=80)),
        st.tuples(st.just("erase"), KEYS, st.just(b"")),
        st.tuples(st.just("commit"), st.just(b""), st.just(b"")),
        st.tuples(st.just("commit_into"), st.binary(max_size=3), st.just(b"")),
        st.tuples(st.just("crash"), st.just(b""), st.just(b"")),
    ),
    max_size=120,
)


@pytest.mark.parametrize("make_log", [KeyedLog, KeyedLogInPython], ids=["of the board", "reference"])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_it_is_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, make_log: MakeLog, steps: list[tuple[str, bytes, bytes]]
) -> None:
    directory = tmp_path_factory.mktemp("log")
    log = make_log(directory, segment_bytes=400, retry_s=0.0)
    now: dict[bytes, bytes] = {}
    committed: dict[bytes, bytes] = {}
    for step, key, value in steps:
        if step == "put":
            log.put(key, value)
            now[key] = value
        elif step == "erase":
            log.erase(key)
            now.pop(key, None)
        elif step == "crash":
            was_full = log.error != 0
            log.close()
            log = make_log(directory, segment_bytes=400, retry_s=0.0)
            now = dict(committed)
            assert log.is_behind or not was_full
        else:
            with file_limit(200 * len(key)) if step == "commit_into" else nullcontext():
                log.commit()
            if not log.error:
                committed = dict(now)
        assert dict(log.items()) == now
    log.close()


def test_values_are_read_from_more_segments_than_are_kept_open(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path, segment_bytes=50)
    for number in range(60):
        log.put(b"%d" % number, b"%d" % number * 40)
        log.commit()
    log.put(b"waits", b"for its commit")
    assert len(list(tmp_path.iterdir())) > 2 * MOST_READ
    assert [log[b"%d" % number] for number in range(60)] == [b"%d" % number * 40 for number in range(60)]
    assert log[b"waits"] == b"for its commit"
    log.close()


def test_a_missing_key_is_an_error(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.put(b"a", b"")
    with pytest.raises(KeyError):
        log[b"b"]
    assert (log[b"a"], list(log)) == (b"", [b"a"])


def test_many_keys_come_and_go(make_log: MakeLog, tmp_path: Path) -> None:
    log, plain, shape = make_log(tmp_path), dict[bytes, bytes](), Random(7)
    for _ in range(20_000):
        key = b"T" + shape.randrange(6000).to_bytes(8, "big")
        log.erase(key)
        plain.pop(key, None)
        if shape.random() < 0.6:
            plain[key] = shape.randbytes(3)
            log.put(key, plain[key])
    log.commit()
    assert list(log.items()) == list(plain.items())
    assert reopened(tmp_path, make_log) == plain


def test_without_room_all_waits_in_memory_and_is_written_whole_once_there_is_room(
    make_log: MakeLog, tmp_path: Path
) -> None:
    log = make_log(tmp_path, retry_s=0.0)
    for key in (b"a", b"b"):
        log.put(key, b"before")
    log.commit()
    whole = files(tmp_path)
    with file_limit(log.size + 20):
        for number in range(3):
            log.put(b"a", b"%d" % number * 50)
            log.put(b"c%d" % number, b"y")
            log.commit()
            assert (log.error, log.failures) == (errno.EFBIG, number + 1)
        log.erase(b"b")
        log.erase(b"c1")
        assert dict(log.items()) == {b"a": b"2" * 50, b"c0": b"y", b"c2": b"y"}
        assert files(tmp_path) == whole
        assert reopened(tmp_path, make_log) == {b"a": b"before", b"b": b"before"}
    log.commit()
    assert (log.error, log.failures) == (0, 3)
    assert log.size == sum(len(data) - 8 for name, data in files(tmp_path).items() if name.endswith("1.log"))
    assert dict(log.items()) == reopened(tmp_path, make_log) == {b"a": b"2" * 50, b"c0": b"y", b"c2": b"y"}


def test_between_two_tries_is_a_pause(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path, retry_s=3600.0)
    log.put(b"a", b"1")
    with file_limit(log.size + 10):
        log.commit()
        log.commit()
    log.commit()
    assert (log.error, log.failures, dict(log.items())) == (errno.EFBIG, 1, {b"a": b"1"})


def test_it_starts_without_room(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path, retry_s=0.0)
    log.put(b"a", b"1")
    log.commit()
    log.close()
    with file_limit(0):
        log = make_log(tmp_path, retry_s=0.0)
        log.put(b"b", b"2")
        log.commit()
        assert log.error == errno.EFBIG
        assert dict(log.items()) == {b"a": b"1", b"b": b"2"}
    log.commit()
    log.close()
    assert reopened(tmp_path, make_log) == {b"a": b"1", b"b": b"2"}


def test_what_waits_stays_small(make_log: MakeLog, tmp_path: Path) -> None:
    """Of a thousand values of a key only the last one is needed; erased keys that no file knows leave nothing."""
    log = make_log(tmp_path, retry_s=3600.0)
    log.put(b"known", b"1")
    log.commit()
    with file_limit(log.size + 10):
        for number in range(2000):
            log.put(b"same", b"%d" % number * 1000)
            log.put(b"brief", b"x")
            log.erase(b"brief")
            log.erase(b"known")
            log.put(b"known", b"%d" % number)
            log.commit()
            assert log.unwritten < WAITING_BYTES + 20_000
    assert (log.error, log.failures) == (errno.EFBIG, 1)
    log.close()


def test_a_log_that_ends_without_room_is_behind(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(tmp_path, retry_s=0.0)
    log.put(b"a", b"1")
    log.commit()
    assert not log.is_behind
    with file_limit(log.size + 10):
        log.put(b"a", b"2")
        log.commit()
        log.close()
    log = make_log(tmp_path)
    assert (log.is_behind, log[b"a"]) == (True, b"1")
    log.put(b"a", b"3")
    log.commit()
    log.close()
    log = make_log(tmp_path)
    assert (log.is_behind, log[b"a"]) == (False, b"3")


def test_a_file_that_the_disk_does_not_give_is_gone_and_told(
    make_log: MakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_log(tmp_path, segment_bytes=50)
    for number in range(3):
        log.put(b"%d" % number, b"x" * 100)
        log.commit()
    log.close()
    bad, read_bytes = tmp_path / "0000000002.log", Path.read_bytes

    def read(path: Path) -> bytes:
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read_bytes(path)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", read)
        log = make_log(tmp_path)
    assert (list(log), log.is_behind) == ([b"0", b"2"], True)
    (report,) = reports(tmp_path)
    assert "Input/output error" in str(report)


def test_a_directory_that_is_gone_is_made_again(make_log: MakeLog, tmp_path: Path) -> None:
    directory = tmp_path / "gone"
    log = make_log(directory, segment_bytes=50, retry_s=0.0)
    shutil.rmtree(directory)
    for number in range(3):
        log.put(b"%d" % number, b"x" * 100)
        log.commit()
    assert log.error == 0
    assert log[b"2"] == b"x" * 100


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_whatever_the_system_answers(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = KeyedLogInPython(tmp_path, retry_s=0.0)

    def refuse(*_: object) -> int:
        raise OSError(number, "injected")

    with monkeypatch.context() as broken:
        for call in ("write", "ftruncate", "open"):
            broken.setattr(os, call, refuse)
        log.put(b"a", b"1")
        log.commit()
        assert (log.error, dict(log.items())) == (number, {b"a": b"1"})
    log.commit()
    assert (log.error, reopened(tmp_path)) == (0, {b"a": b"1"})


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("*.log")}


class Twins:
    """The kind that routers use here and the reference, each in a directory of its own."""

    kinds: tuple[MakeLog, MakeLog] = KeyedLog, KeyedLogInPython

    def __init__(self, directory: Path) -> None:
        self.directories = directory / "board", directory / "reference"
        self.open()

    def open(self) -> None:
        self.logs = [
            kind(directory, segment_bytes=400, retry_s=0.0)
            for kind, directory in zip(self.kinds, self.directories, strict=True)
        ]
        self.compare()

    def close(self) -> None:
        for log in self.logs:
            log.close()

    def die(self, cut: int, flipped: int) -> None:
        """Both are killed; of what they wrote last, `cut` octets are missing, or one is another."""
        self.close()
        for directory in self.directories:
            path = max(directory.iterdir())
            data = bytearray(path.read_bytes())
            if flipped and len(data) > 8:
                data[8 + flipped % (len(data) - 8)] ^= 1 + flipped % 255
            path.write_bytes(data[: max(0, len(data) - cut)])
        self.kinds = self.kinds[1], self.kinds[0]
        self.open()

    def compare(self) -> None:
        board, reference = self.logs
        assert list(board.items()) == list(reference.items())
        assert (len(board), board.size) == (len(reference), reference.size)
        assert (board.error, board.failures) == (reference.error, reference.failures)
        assert board.is_behind == reference.is_behind
        assert files(self.directories[0]) == files(self.directories[1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), KEYS, st.binary(max_size=80) | st.integers(0, 1000).map(bytes)),
            st.tuples(st.just("erase"), KEYS),
            st.tuples(st.just("commit")),
            st.tuples(st.just("commit_into"), st.integers(0, 500)),
            st.tuples(st.just("die"), st.integers(0, 200), st.integers(0, 10_000)),
        ),
        max_size=100,
    )
)
def test_the_twins_write_the_same_and_read_each_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    """Each life of a log is that of the other twin, after a death at any octet, with and without room on the disk."""
    twins = Twins(tmp_path_factory.mktemp("twins"))
    for step, *arguments in steps:
        if step == "die":
            twins.die(*arguments)
            continue
        for log in twins.logs:
            if step == "commit_into":
                with file_limit(*arguments):
                    log.commit()
            else:
                getattr(log, step)(*arguments)
        twins.compare()
    twins.close()


RECORDS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 30) | st.just(segment.ERASED), st.binary(max_size=30)),
    max_size=8,
).map(lambda records: b"".join(struct.pack("<HI", key, value) + octets for key, value, octets in records))


@settings(max_examples=200, deadline=None)
@given(commits=st.lists(RECORDS, max_size=4))
def test_whatever_a_commit_holds_is_read_alike(
    tmp_path_factory: pytest.TempPathFactory, commits: list[bytes]
) -> None:
    """Lengths that go beyond the record, or the commit."""
    twins = Twins(tmp_path_factory.mktemp("twins"))
    twins.close()
    for directory in twins.directories:
        parts = [segment.HEADER, *(part for each in commits for part in (segment.commit_head(each), each))]
        (directory / "0000000001.log").write_bytes(b"".join(parts))
    twins.open()
    twins.close()
