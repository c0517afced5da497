"""The key that signs the console's sessions: made once, for us alone."""

import os
import secrets
from pathlib import Path

from switchboard.console.sessions import KEY_BYTES
from switchboard.storage.unusable import UnusableFile


def load_key(path: Path) -> bytes:
    """Return the key in the file, made if there is none. UnusableFile if that cannot be."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise UnusableFile(f"The console's key {path} cannot be used: {error.strerror}.") from error
    if len(key) != KEY_BYTES:
        raise UnusableFile(f"The console's key {path} is no key of ours: remove it, a new one is made.")
    return key


def _make(path: Path) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    beside.rename(path)
