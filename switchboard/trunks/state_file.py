"""What a trunk's registration has to remember, in a file of its own: whole, and on the disk before it counts."""

import json
import secrets
from pathlib import Path

from switchboard.storage.durable import replace_file
from switchboard.storage.unusable import NotWritten
from switchboard.trunks.registration import Saved


class StateFile:
    """The file at `path`. `was_damaged`: it could not be read, and the registration began anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.was_damaged = False

    def read(self) -> Saved:
        """What was kept last; a new beginning if there is nothing, or nothing that can be used."""
        try:
            found = Saved.of(json.loads(self._path.read_text("utf-8")))
        except FileNotFoundError:
            return _new()
        except (OSError, ValueError):
            found = None
        self.was_damaged = found is None
        return found or _new()

    def write(self, saved: Saved) -> None:
        """Keep it. NotWritten: it is not kept, and must not be acted upon."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_file(self._path, json.dumps(saved.to_dict()).encode())
        except OSError as error:
            raise NotWritten(f"{self._path}: {error.strerror}") from error


def _new() -> Saved:
    return Saved(secrets.token_hex(16), secrets.token_hex(6))
