"""Directories of a switchboard and the lock of a component."""

import os
import stat
from pathlib import Path

import pytest

from switchboard.supervisor.run_dir import Held, hold, make_data_dir, make_run_dir


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directories_are_private(tmp_path: Path) -> None:
    make_data_dir(tmp_path / "a" / "data")
    make_run_dir(tmp_path / "a" / "data" / "run")
    assert mode(tmp_path / "a" / "data") == 0o700
    assert mode(tmp_path / "a" / "data" / "run") == 0o700


def test_existing_data_dir_keeps_its_mode_and_run_dir_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_data_dir(tmp_path)
    assert mode(tmp_path) == 0o755
    make_run_dir(tmp_path)
    assert mode(tmp_path) == 0o700


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match="File exists"):
        make_data_dir(tmp_path / "data")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_run_dir(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to user 12345"):
        make_run_dir(tmp_path)


def test_component_is_held_once(tmp_path: Path) -> None:
    lock = hold(tmp_path, "edge")
    other = hold(tmp_path, "router")
    with pytest.raises(Held) as caught:
        hold(tmp_path, "edge")
    assert caught.value.pid == os.getpid()
    os.close(lock)
    os.close(hold(tmp_path, "edge"))
    os.close(other)
