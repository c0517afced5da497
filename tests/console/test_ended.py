"""Sessions that were logged out."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from switchboard.console.ended import MOST, EndedSessions

DAY_S = 86400.0


def test_they_are_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "console.ended"
    ended = EndedSessions(path, DAY_S, time.time())
    ended.add("a", 200.0, 100.0)
    assert ("a", 200.0) in ended
    ended.save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = EndedSessions(path, DAY_S, time.time())
    assert ("a", 200.0) in again
    assert ("b", 200.0) not in again


def test_those_whose_time_is_over_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "console.ended"
    ended = EndedSessions(path, DAY_S, time.time())
    ended.add("a", 200.0, 100.0)
    ended.add("b", 400.0, 300.0)
    ended.save()
    assert '"a"' not in path.read_text()


def test_too_many_make_all_before_them_void() -> None:
    ended = EndedSessions(None, DAY_S, time.time())
    for number in range(MOST + 1):
        ended.add(str(number), 1000.0 + number, 100.0)
    assert ("0", 1000.0) in ended
    assert ("another", 1000.0 + MOST) in ended
    assert ("later", 1001.0 + MOST) not in ended


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "ended": 3, "void_until": 0}', "\x00"]
)
def test_a_damaged_file_makes_all_sessions_so_far_void(tmp_path: Path, text: str) -> None:
    path = tmp_path / "console.ended"
    path.write_text(text)
    now_at = time.time()
    ended = EndedSessions(path, DAY_S, time.time())
    assert ("a", now_at + DAY_S - 2) in ended
    assert ("new", now_at + DAY_S) not in ended
    ended.save()
    again = EndedSessions(path, DAY_S, time.time())
    assert ("a", now_at + DAY_S - 2) in again
    assert ("new", now_at + DAY_S) not in again


def test_what_cannot_be_written_is_ended_all_the_same_and_written_later(tmp_path: Path) -> None:
    path = tmp_path / "full" / "console.ended"
    ended = EndedSessions(path, DAY_S, time.time())
    ended.add("a", time.time() + DAY_S, time.time())
    with pytest.raises(FileNotFoundError, match=os.strerror(errno.ENOENT)):
        ended.save()
    assert not ended.is_saved
    path.parent.mkdir()
    ended.save()
    assert ended.is_saved
    assert '"a"' in path.read_text()
