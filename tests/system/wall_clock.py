"""A wall clock that tests set while a switchboard runs: a library in front of its processes."""

import struct
import subprocess
from pathlib import Path

from system.tools import require_tools

SOURCE = Path(__file__).with_name("wall_clock.c")


class WallClock:
    """What the processes see that have `environment`."""

    def __init__(self, directory: Path) -> None:
        """Skips the calling test (fails it when CI=true) without a C compiler."""
        require_tools("gcc")
        library = directory / "wall_clock.so"
        subprocess.run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
        self._file = directory / "wall_clock"
        self._file.write_bytes(struct.pack("=d", 0.0))
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}

    def set(self, ahead_s: float) -> None:
        """So much it is ahead of the true one from now on."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=d", ahead_s))
