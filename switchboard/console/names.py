"""Texts of users on disk, as their display names: what the console shows beside a user's name."""

import json
import threading
from pathlib import Path

import structlog

from switchboard.storage.durable import READABLE, replace_file
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
        replace_file(self._path, json.dumps(names, ensure_ascii=False, indent=1).encode(), READABLE)

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
