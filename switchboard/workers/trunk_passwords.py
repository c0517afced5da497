"""A router's trunks, with their passwords: a new one counts at once, and a file is read only when it has changed."""

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from switchboard.core.trunks import Trunks
from switchboard.settings.model import Settings
from switchboard.settings.trunks import PasswordError, password_path, read_password


def make_trunks(settings: Settings, key: bytes) -> Trunks | None:
    """Return the trunks; None if there are none. `key`: the switchboard's."""
    trunks = settings.make_trunks()
    paths = {name: password_path(settings.trunks_path, name, each) for name, each in settings.trunks.items()}
    return Trunks(key, trunks, Passwords(paths).of, settings.dialplan.normal) if trunks else None


class Passwords:
    """The passwords of trunks, by the files that hold them."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def of(self, name: str) -> str:
        """Return the password of a trunk, "" if there is none, of which the log tells."""
        seen = self._look(name)
        known = self._known.get(name)
        if known is not None and known[0] == seen:
            return known[1]
        self._known.pop(name, None)
        try:
            password = read_password(self._paths[name], name)
        except PasswordError as error:
            structlog.get_logger().warning("trunk without a password", trunk=name, why=str(error))
            return ""
        if seen:
            self._known[name] = seen, password
        return password

    def _look(self, name: str) -> tuple[int, ...]:
        """What differs when the file is written, replaced or opened to others; nothing if it cannot be told."""
        try:
            found = os.stat(self._paths[name])
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
