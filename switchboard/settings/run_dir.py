"""Where the sockets and locks of a switchboard are, the same place for all its processes and for the commands.

That is `run` in the data directory, unless its path is too long for a socket. Then it is a directory whose name nobody
can foresee, in XDG_RUNTIME_DIR or among the temporary files, and the file `run.at` in the data directory names it.
Wherever it is, it is ours alone, and no link leads there. Each process that serves holds a lock on `run.at`: while one
does, nobody makes another directory, which would tear the switchboard in two.
"""

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = "/translator.control"
NOWHERE = Path("/dev/null/switchboard")
"""Where nothing can be: nobody has made the directory yet."""
_NAMED_IN = "run.at"
_OTHERS = 0o077
_OTHERS_WRITE = 0o022


def find_run_dir(data_dir: Path) -> Path:
    """The directory, as it is or will be; NOWHERE if its path would be too long and none was made elsewhere."""
    run_dir = data_dir / "run"
    if _is_short(run_dir):
        return run_dir
    try:
        descriptor = os.open(data_dir / _NAMED_IN, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return NOWHERE
    try:
        return _named(descriptor) or NOWHERE
    finally:
        os.close(descriptor)


def make_run_dir(data_dir: Path) -> Path:
    """Make the directory unless it is there, for us alone, and return it; OSError, with words, if that cannot be."""
    run_dir = data_dir / "run"
    if not _is_short(run_dir):
        return _hold_elsewhere(data_dir)
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = run_dir.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, f"{run_dir} is a link, and may lead anywhere")
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, f"{run_dir} belongs to user {found.st_uid}")
    if stat.S_IMODE(found.st_mode) != 0o700:  # on a disk that is read-only by now nothing can be changed
        run_dir.chmod(0o700)
    return run_dir


def _is_short(run_dir: Path) -> bool:
    return len(os.fsencode(run_dir)) + len(LONGEST_SOCKET_NAME) <= MAX_SOCKET_PATH


def _hold_elsewhere(data_dir: Path) -> Path:
    """The lock lasts as long as the process: its descriptor is never closed."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / _NAMED_IN
    descriptor = _opened(path)
    if os.fstat(descriptor).st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, f"{path} belongs to user {os.fstat(descriptor).st_uid}")
    with _alone(data_dir):
        run_dir = _named(descriptor) or _make_elsewhere(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return run_dir


def _opened(path: Path) -> int:
    """On a disk that is read-only by now a file that is there says enough, and can be locked, too."""
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, flags | os.O_RDONLY)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_elsewhere(descriptor: int) -> Path:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        named = os.pread(descriptor, 4096, 0).decode(errors="replace")
        raise OSError(
            errno.ENOENT,
            f"the directory of the sockets, {named}, is not to be seen here, though processes use it "
            "(systemd's PrivateTmp?): stop them, or choose a data_dir with a shorter path",
        ) from None
    run_dir = Path(tempfile.mkdtemp(prefix="switchboard-", dir=_short_place()))
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, os.fsencode(run_dir), 0)
    return run_dir


def _short_place() -> Path:
    """The first that is ours, or is kept by root for all, and short enough."""
    offered = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()]
    for each in map(Path, filter(None, offered)):
        if each.is_absolute() and _is_short(each / "switchboard-12345678") and _is_safe(each, os.geteuid()):
            return each
    raise OSError(
        errno.ENAMETOOLONG,
        f"sockets below it would have names of more than {MAX_SOCKET_PATH} octets, and none of "
        f"{', '.join(filter(None, offered))} is short and safe: choose a data_dir with a shorter path",
    )


def _is_safe(parent: Path, owner: int) -> bool:
    """Whether nobody but `owner` and root can put something in the place of a directory of the owner's there."""
    found = parent.stat() if parent.is_dir() else None
    if found is None or found.st_uid not in (0, owner):
        return False
    return not found.st_mode & _OTHERS_WRITE or bool(found.st_mode & stat.S_ISVTX)


def _named(descriptor: int) -> Path | None:
    """The directory that the file names, if it is one of the file's owner alone."""
    owner = os.fstat(descriptor).st_uid
    run_dir = Path(os.fsdecode(os.pread(descriptor, 4096, 0)))
    try:
        found = run_dir.lstat()
    except (OSError, ValueError):
        return None
    is_private = stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & _OTHERS
    return run_dir if is_private and run_dir.is_absolute() and _is_safe(run_dir.parent, owner) else None
