"""File systems of a test's own: small ones, and ones that cannot be written. Root only."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from system.tools import require_root

_CLONE_NEWNS = 0x20000


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
    """Nothing below the directory `path` can be written meanwhile; nobody may have a file there open for writing.

    Skips (fails when CI=true) without root.
    """
    require_root()
    unshare_mounts()
    mount("--bind", str(path), str(path))
    try:
        mount("-o", "remount,bind,ro", str(path))
        yield
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=True)


def mount(*words: str) -> None:
    subprocess.run(("mount", *words), check=True)
