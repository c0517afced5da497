"""Texts of users on disk, as their display names: what the console shows beside a user's name."""

import json
import os
import threading
from pathlib import Path

import structlog

from switchboard.storage.mending import sync_directory
from switchboard.storage.restoring import take_restored
from switchboard.storage.unusable import NotWritten

MOST_CHARACTERS = 64


class DisplayNames:
    """Owns the file. A name is on disk before `put` returns. Safe to use from several threads.

    `what`: what its texts are, for people.
    """

    def __init__(self, path: Path, what: str = "display names") -> None:
        self._path = path
        self._what = what
        self._lock = threading.Lock()
        self._names = self._load()

    def get(self, user: str) -> str:
        """The display name of `user`; "" if it has none."""
        return self._names.get(user, "")

    def put(self, user: str, name: str) -> None:
        """Let `user` have this display name, "" for none. NotWritten: nothing has changed."""
        with self._lock:
            names = {each: text for each, text in self._names.items() if each != user}
            if name:
                names[user] = name
            if names == self._names:
                return
            try:
                self._write(names)
            except OSError as error:
                raise NotWritten(f"{self._path} cannot be written: {error.strerror}") from error
            self._names = names

    def _write(self, names: dict[str, str]) -> None:
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(names, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(self._path)
        sync_directory(self._path.parent)

    def _load(self) -> dict[str, str]:
        """What the file has; a file that cannot be read is left alone until the next change."""
        try:
            take_restored(self._path)
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(user): str(name) for user, name in dict(found).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            structlog.get_logger().warning(
                f"{self._what} cannot be read", why=str(error), file=str(self._path)
            )
            return {}
