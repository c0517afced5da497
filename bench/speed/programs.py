"""The programs of others that the bench runs."""

import shutil


class Unavailable(Exception):
    """What a measurement needs is not there."""


def require(program: str) -> None:
    """Unavailable, with the name, if it is not on the PATH."""
    if shutil.which(program) is None:
        raise Unavailable(f"{program} is not installed")
