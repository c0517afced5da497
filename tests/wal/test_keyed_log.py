"""The keyed log against a plain dictionary, over crashes; and its native twin against the reference."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.wal import segment
from switchboard.wal.keyed_log import KeyedLog, KeyedLogInPython
from switchboard.wal.segment import MOST_READ, SegmentError, read

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


@pytest.mark.parametrize("start", [b"SWBLOG\x01\n", b"SWBLOG\x63\n", b"something else", b"\x00\x00"])
def test_a_file_that_is_not_ours_is_refused(make_log: MakeLog, tmp_path: Path, start: bytes) -> None:
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
    log = make_log(directory, segment_bytes=400)
    now: dict[bytes, bytes] = {}
    committed: dict[bytes, bytes] = {}
    for step, key, value in steps:
        if step == "put":
            log.put(key, value)
            now[key] = value
        elif step == "erase":
            log.erase(key)
            now.pop(key, None)
        elif step == "commit":
            log.commit()
            committed = dict(now)
        else:
            log.close()
            log = make_log(directory, segment_bytes=400)
            now = dict(committed)
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


def test_what_the_system_refuses_is_told(make_log: MakeLog, tmp_path: Path) -> None:
    directory = tmp_path / "gone"
    log = make_log(directory, segment_bytes=50)
    shutil.rmtree(directory)
    log.put(b"a", b"x" * 100)
    with pytest.raises(FileNotFoundError):
        log.commit()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


class Twins:
    """The kind that routers use here and the reference, each in a directory of its own."""

    kinds: tuple[MakeLog, MakeLog] = KeyedLog, KeyedLogInPython

    def __init__(self, directory: Path) -> None:
        self.directories = directory / "board", directory / "reference"
        self.open()

    def open(self) -> None:
        self.logs = [
            kind(directory, segment_bytes=400)
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
        assert files(self.directories[0]) == files(self.directories[1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), KEYS, st.binary(max_size=80) | st.integers(0, 1000).map(bytes)),
            st.tuples(st.just("erase"), KEYS),
            st.tuples(st.just("commit")),
            st.tuples(st.just("die"), st.integers(0, 200), st.integers(0, 10_000)),
        ),
        max_size=100,
    )
)
def test_the_twins_write_the_same_and_read_each_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    """Each life of a log is that of the other twin, after a death at any octet."""
    twins = Twins(tmp_path_factory.mktemp("twins"))
    for step, *arguments in steps:
        if step == "die":
            twins.die(*arguments)
            continue
        for log in twins.logs:
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
