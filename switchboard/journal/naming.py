"""The name by which a database tells the records of one switchboard from those of others."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from switchboard.storage.durable import READABLE, replace_file
from switchboard.storage.restoring import take_restored

MOST_CHARACTERS: Final = 255


def lasting_name(path: Path, name: str) -> str:
    """The name in the file `path`; `name`, which is kept there then if that can be written, if there is none yet.

    OSError: the file cannot be read.
    It stays with the records: a host with another name that takes over the data directory, or gets it from a backup,
    makes no second row of a call.
    """
    take_restored(path)
    found = path.read_text("utf-8", "replace").strip() if path.exists() else ""
    if found:
        return found.replace("\0", "")[:MOST_CHARACTERS]
    with suppress(OSError):  # a full disk: the next start will do it
        replace_file(path, f"{name}\n".encode(), READABLE)
    return name
