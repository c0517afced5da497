"""File systems of a test's own: small ones that are full, and ones that cannot be written. Root only."""

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_CLONE_NEWNS = 0x20000
_CHUNK = 65_536

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="mounting a file system needs root"
)


@cache
def unshare_mounts() -> None:
    """From now on this process, and whom it starts, has mounts of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(_CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    mount("--make-rprivate", "/")


@contextmanager
def small_disk(path: Path, octets: int) -> Iterator[Path]:
    """An empty file system of that size at `path`, a directory."""
    unshare_mounts()
    mount("-t", "tmpfs", "-o", f"size={octets}", "tmpfs", str(path))
    try:
        yield path
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Nothing below the directory `path` can be written meanwhile; nobody may have a file there open for writing."""
    unshare_mounts()
    mount("--bind", str(path), str(path))
    try:
        mount("-o", "remount,bind,ro", str(path))
        yield
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=True)


@contextmanager
def filled(path: Path) -> Iterator[None]:
    """Meanwhile there is no room left on the file system of the directory `path`."""
    ballast = path / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (_CHUNK, 1):
            while _takes(file.fileno(), bytes(size)):
                pass
    try:
        yield
    finally:
        ballast.unlink()


def _takes(fd: int, octets: bytes) -> bool:
    try:
        return os.write(fd, octets) > 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


def mount(*words: str) -> None:
    subprocess.run(("mount", *words), check=True)
