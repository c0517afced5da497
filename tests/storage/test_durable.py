"""Files that are written whole."""

import errno
import os
import stat
from pathlib import Path

import pytest

from switchboard.storage.durable import READABLE, replace_file


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_others_read_it_only_if_they_may(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        replace_file(tmp_path / "private", b"one")
        replace_file(tmp_path / "readable", b"one", READABLE)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("private", "readable")]
    assert modes == [0o600, 0o644]


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    path.chmod(0o666)
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    replace_file(path, b"one")

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            replace_file(path, b"two")
    assert path.read_bytes() == b"one"
    replace_file(path, b"three")
    assert path.read_bytes() == b"three"
    assert list(tmp_path.iterdir()) == [path]
