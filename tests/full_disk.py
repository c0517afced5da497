"""Disks that are full, for tests: without root by a limit of the size of files, with root as small file systems."""

import fcntl
import os
import resource
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mounts
import pytest
from system.tools import require_root, require_tools

FILLER = "filler"
GRAIN = 4096
BTRFS_BYTES = 256_000_000
_SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN."""
_WITHOUT_FLUSH = 2


@contextmanager
def file_limit(octets: int) -> Iterator[None]:
    """No file of this process grows beyond so many octets meanwhile: writes end early, then fail (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class SmallDisk:
    """A file system of `size` octets at `path`, that nobody outside of this process and its children sees."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, leave: int = 0) -> None:
        """Leave so many octets free."""
        with (self.path / FILLER).open("ab", buffering=0) as file:
            for size in (1 << 20, GRAIN):
                while self.free_bytes >= leave + size and _has_written(file.fileno(), size):
                    pass

    @property
    def free_bytes(self) -> int:
        """What is free."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def free(self) -> None:
        """Take that back."""
        (self.path / FILLER).unlink()


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[SmallDisk]:
    """Inside the block it is there. Skips (fails when CI=true) without root."""
    require_root()
    path.mkdir(mode=0o700)
    with mounts.small_disk(path, size):
        yield SmallDisk(path)


class QuotaDisk(SmallDisk):
    """A directory with a quota on a large file system: what is free there says nothing of it."""

    def free(self) -> None:
        """Lift the quota."""
        _limit(self.path, "none")


@contextmanager
def quota_disk(path: Path, quota: int) -> Iterator[QuotaDisk]:
    """Inside the block there is a directory at `path` that may hold `quota` octets. Skips without root or btrfs."""
    require_root()
    require_tools("mkfs.btrfs", "btrfs")
    mounts.unshare_mounts()
    whole = path.with_suffix(".whole")
    whole.mkdir(mode=0o700)
    try:
        _mount_image(whole, "mkfs.btrfs", BTRFS_BYTES, "loop")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no btrfs in a file can be made here: {error}")
    try:
        subprocess.run(["btrfs", "quota", "enable", str(whole)], check=True)
        subprocess.run(["btrfs", "-q", "subvolume", "create", str(whole / path.name)], check=True)
        path.symlink_to(whole / path.name)
        _limit(path, str(quota))
        yield QuotaDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(whole)], check=True)


def _limit(path: Path, octets: str) -> None:
    subprocess.run(["btrfs", "qgroup", "limit", octets, str(path.resolve())], check=True)


def _mount_image(path: Path, make: str, size: int, options: str) -> None:
    """Make a file system of that size in a file beside `path`, a directory, and mount it there."""
    image = path.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run([make, "-q", str(image)], check=True)
    mounts.mount("-o", options, str(image), str(path))


class FailingDisk:
    """A file system of its own, in a file, which can be broken for good."""

    def __init__(self, path: Path, device: str) -> None:
        self.path = path
        self._device = device

    def become_read_only(self) -> None:
        """As if the kernel had found an error in it."""
        Path(f"/sys/fs/ext4/{self._device}/trigger_fs_error").write_text("test")

    def die(self) -> None:
        """Nothing can be read or written any more that is not in memory."""
        fd = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
        os.close(fd)


@contextmanager
def failing_disk(path: Path, size: int) -> Iterator[FailingDisk]:
    """Inside the block it is there. Skips where nothing of the kind can be made."""
    require_root()
    require_tools("mkfs.ext4")
    mounts.unshare_mounts()
    path.mkdir(mode=0o700)
    try:
        _mount_image(path, "mkfs.ext4", size, "loop,errors=remount-ro")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system in a file can be made here: {error}")
    try:
        device = next(line.split()[0] for line in _mounts() if line.split()[1] == str(path))
        yield FailingDisk(path, Path(device).name)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _mounts() -> list[str]:
    return Path("/proc/self/mounts").read_text().splitlines()


def _has_written(fd: int, size: int) -> bool:
    try:
        return os.write(fd, bytes(size)) > 0
    except OSError:
        return False
