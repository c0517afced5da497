"""Memory of a process tree: proportional set size, so that what processes share counts once."""

from collections.abc import Iterable

import psutil

MB = 1 << 20


def memory_mb(pids: Iterable[int]) -> float:
    """Of all of them together."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids) / MB
