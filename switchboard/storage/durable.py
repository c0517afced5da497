"""Files that are on the disk when a call returns, and outlive a power failure. OSError.

A file is written whole under a name beside its own and then takes that one's place: a reader, or whoever starts after a
failure, finds this content or the one before. A name is on the disk only with its directory.
"""

import os
from pathlib import Path
from typing import Final

ONLY_OWNER: Final = 0o600
READABLE: Final = 0o644


def replace_file(path: Path, octets: bytes, mode: int = ONLY_OWNER) -> None:
    """Write the file whole. `mode`: who may read it, from its first octet on."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(octets)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
    sync_directory(path.parent)


def sync(path: Path) -> None:
    """The file is on the disk when this returns."""
    _sync(path, os.O_RDONLY)


def sync_directory(path: Path) -> None:
    """New names in it are on the disk when this returns."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
