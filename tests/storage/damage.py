"""Ways in which a file is damaged."""

import random
from pathlib import Path

PAGE = 4096
KINDS = {
    "rubbish": random.Random(12).randbytes(PAGE),
    "zeros": bytes(PAGE),
    "ones": b"\xff" * PAGE,
}


def overwrite(path: Path, page: int, octets: bytes) -> None:
    """A page of a file (from 0) holds something else."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(octets)


def flip(path: Path, place: int) -> None:
    """One bit at that octet is the other one."""
    with path.open("r+b") as file:
        file.seek(place)
        (octet,) = file.read(1)
        file.seek(place)
        file.write(bytes([octet ^ 0x10]))


def pages_of(path: Path) -> int:
    """How many pages a file has."""
    return path.stat().st_size // PAGE
