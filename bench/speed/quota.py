"""Lets a process have only a part of a core, through a control group (version 1 or 2)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.speed.programs import Unavailable

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 20_000
"""The kernel takes no quota below 1 ms."""


@contextmanager
def limited(pids: list[int], share: float) -> Iterator[None]:
    """Inside the block each process has `share` of a core; Unavailable if control groups are out of reach."""
    groups = [_group(pid) for pid in pids]
    try:
        for pid, group in zip(pids, groups, strict=True):
            _limit(pid, group, round(share * PERIOD_US))
        yield
    finally:
        for group in groups:
            _remove(group)


def _group(pid: int) -> Path:
    return _controller() / f"switchboard-bench-{os.getpid()}-{pid}"


def _controller() -> Path:
    return ROOT if (ROOT / "cgroup.controllers").exists() else ROOT / "cpu"


def _limit(pid: int, group: Path, quota_us: int) -> None:
    try:
        _make(group, quota_us)
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise Unavailable(f"control groups: {error.strerror}") from error


def _make(group: Path, quota_us: int) -> None:
    if _controller() == ROOT:
        (ROOT / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    if _controller() == ROOT:
        (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(quota_us))


def _remove(group: Path) -> None:
    if not group.exists():
        return
    for pid in (group / "cgroup.procs").read_text().split():
        (_controller() / "cgroup.procs").write_text(pid)
    group.rmdir()
