"""The private directory of a switchboard's sockets, and the lock that keeps a component single."""

import errno
import fcntl
import os
from pathlib import Path


class Held(Exception):
    """Another process holds the component; `pid` is 0 if it has not said which."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


def make_data_dir(path: Path) -> None:
    """Make the directory, for us alone, unless it is there; OSError when we cannot write to it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def make_run_dir(path: Path) -> None:
    """Make the directory and close it to others; OSError if it cannot be ours alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise PermissionError(errno.EACCES, f"it belongs to user {owner}", str(path))
    path.chmod(0o700)


def hold(run_dir: Path, component: str) -> int:
    """Take the lock of `component` for the life of this process; returns its descriptor. Raises Held."""
    descriptor = os.open(run_dir / f"{component}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).strip()
        os.close(descriptor)
        raise Held(int(pid or 0)) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor
