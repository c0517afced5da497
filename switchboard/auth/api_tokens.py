"""The tokens of the console's JSON API, on disk: who may use it, and whether it may change anything.

A token is 256 random bits, so its plain SHA-256 tells nobody what it is, and no number of guesses finds one. The file
is replaced as a whole; whoever reads it looks at each use whether it was, so a token that is removed opens nothing
from then on.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from switchboard.storage.durable import replace_file
from switchboard.storage.secret import exposure
from switchboard.storage.unusable import NotWritten, UnusableFile

PREFIX = "sbt_"
TOKEN_BYTES = 32
MOST = 1000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token, by its hash (SHA-256, hexadecimal). `made_at`: epoch s."""

    name: str
    digest: str = field(repr=False)
    read_only: bool
    made_at: float


class ApiTokens:
    """Reads and writes the file. UnusableFile: it cannot be read. Safe on several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, ApiToken] = {}

    def all(self) -> list[ApiToken]:
        """All of them, by name."""
        return sorted(self._read().values(), key=lambda each: each.name)

    def find(self, token: str) -> ApiToken | None:
        """The token that somebody shows (untrusted); None if it is none, or was removed."""
        return self._read().get(_digest(token))

    def add(self, name: str, read_only: bool, now_at: float) -> str | None:
        """Make a token, on disk when this returns, and return what is to be shown; None if there is one of this name.

        NotWritten: nothing has changed.
        """
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        with self._changing() as tokens:
            if any(each.name == name for each in tokens):
                return None
            if len(tokens) >= MOST:
                raise NotWritten(f"there are {MOST} tokens already")
            self._write([*tokens, ApiToken(name, _digest(token), read_only, now_at)])
        return token

    def remove(self, name: str) -> bool:
        """Let the token open nothing from now on; False if there is none of this name. NotWritten."""
        with self._changing() as tokens:
            left = [each for each in tokens if each.name != name]
            if len(left) == len(tokens):
                return False
            self._write(left)
        return True

    @contextmanager
    def _changing(self) -> Iterator[list[ApiToken]]:
        """The tokens, which nobody else changes meanwhile."""
        try:
            directory = os.open(self._path.parent, os.O_RDONLY)
        except OSError as error:
            raise self._not_written(error) from error
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield self.all()
        finally:
            os.close(directory)

    def _write(self, tokens: Sequence[ApiToken]) -> None:
        try:
            replace_file(self._path, json.dumps([asdict(each) for each in tokens], indent=1).encode())
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> NotWritten:
        return NotWritten(f"the tokens cannot be written to {self._path}: {error.strerror}")

    def _read(self) -> dict[str, ApiToken]:
        """By digest; read anew if the file is another one than last time."""
        with self._lock:
            try:
                found = self._path.stat()
                seen = (found.st_ino, found.st_mtime_ns, found.st_size)
                if seen != self._seen:
                    self._tokens = self._load()
                    self._seen = seen
            except FileNotFoundError:
                self._tokens, self._seen = {}, None
            except OSError as error:
                raise UnusableFile(f"The tokens in {self._path} cannot be read: {error.strerror}.") from error
            return self._tokens

    def _load(self) -> dict[str, ApiToken]:
        if problem := exposure(self._path):
            raise UnusableFile(f"The file of the API's tokens {self._path} {problem}.")
        try:
            tokens = [ApiToken(**each) for each in json.loads(self._path.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as error:
            raise UnusableFile(
                f"The file of the API's tokens {self._path} is damaged: remove it, and make the tokens anew."
            ) from error
        return {each.digest: each for each in tokens}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
