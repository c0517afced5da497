"""The keyed log against a plain dictionary, over crashes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.wal.keyed_log import MOST_READ, KeyedLog
from switchboard.wal.segment import SegmentError, read


def reopened(directory: Path) -> dict[bytes, bytes]:
    """What the next process finds."""
    log = KeyedLog(directory, segment_bytes=400)
    found = dict(log.items())
    log.close()
    return found


def test_what_is_committed_is_there_again(tmp_path: Path) -> None:
    log = KeyedLog(tmp_path)
    log.put(b"a", b"1")
    log.put(b"b", b"2")
    log.put(b"a", b"3")
    log.erase(b"b")
    log.erase(b"never there")
    log.commit()
    log.put(b"c", b"not committed")
    assert reopened(tmp_path) == {b"a": b"3"}


def test_a_torn_commit_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    log = KeyedLog(tmp_path)
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
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "0000000001.log").write_bytes(start)
    with pytest.raises(SegmentError, match="0000000001.log"):
        KeyedLog(tmp_path)


def test_it_stays_small(tmp_path: Path) -> None:
    """Long-lived keys among many short-lived ones: the size follows what is alive."""
    log = KeyedLog(tmp_path, segment_bytes=4000)
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
    assert len(reopened(tmp_path)) == 30


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


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_it_is_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes, bytes]]
) -> None:
    directory = tmp_path_factory.mktemp("log")
    log = KeyedLog(directory, segment_bytes=400)
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
            log = KeyedLog(directory, segment_bytes=400)
            now = dict(committed)
        assert dict(log.items()) == now
    log.close()


def test_values_are_read_from_more_segments_than_are_kept_open(tmp_path: Path) -> None:
    log = KeyedLog(tmp_path, segment_bytes=50)
    for number in range(60):
        log.put(b"%d" % number, b"%d" % number * 40)
        log.commit()
    log.put(b"waits", b"for its commit")
    assert len(list(tmp_path.iterdir())) > 2 * MOST_READ
    assert [log[b"%d" % number] for number in range(60)] == [b"%d" % number * 40 for number in range(60)]
    assert log[b"waits"] == b"for its commit"
    log.close()
