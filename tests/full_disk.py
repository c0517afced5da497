"""Disks that are full, for tests: without root by a limit of the size of files, with root as small file systems."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def file_limit(octets: int) -> Iterator[None]:
    """No file of this process grows beyond so many octets meanwhile: writes end early, then fail (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
