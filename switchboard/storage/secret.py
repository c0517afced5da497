"""Files that nobody else may read: refused, with the command that repairs it, or closed."""

import os
import stat
from pathlib import Path

from switchboard.storage.durable import ONLY_OWNER

_OTHERS = 0o077
_GROUP_READS = 0o040
_BESIDE = ("", "-wal", "-shm")


def exposure(path: Path) -> str:
    """The other users who may read or change the file, and the remedy, for people; "" if none. OSError.

    A file of root's may be there for a group: that is how secrets are handed to services.
    """
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    allowed = _GROUP_READS if found.st_uid == 0 != os.geteuid() else 0
    if mode & _OTHERS & ~allowed:
        return (
            f"may be read or changed by others (mode {mode:04o}): chmod {ONLY_OWNER:o} {path}, and make a new one "
            "if others use this machine"
        )
    if found.st_uid not in (0, os.geteuid()) and os.geteuid():
        return f"belongs to user {found.st_uid}: chown {os.geteuid()} {path}"
    return ""


def make_private(path: Path) -> bool:
    """Make the file unless it is there, and close it to others, with what SQLite keeps beside it. OSError.

    True: others may have read it until now.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, ONLY_OWNER))
    exposed = [each for end in _BESIDE if _is_exposed(each := path.with_name(path.name + end))]
    for each in exposed:
        each.chmod(ONLY_OWNER)
    return bool(exposed)


def _is_exposed(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _OTHERS)
