"""Runs the tools of SIPVicious, as whoever scans the internet does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from system.sipmsg import Address
from system.tools import require_tools

SCAN_S = 60.0


def scan(tool: str, home: Path, target: Address, *arguments: str) -> str:
    """Run one of the tools at the target and return what it printed; its files go to `home`."""
    path = shutil.which(f"sipvicious_{tool}", path=str(Path(sys.executable).parent))
    if path is None:
        require_tools(f"sipvicious_{tool}")
    host, port = target
    done = subprocess.run(
        [str(path), "-p", str(port), *arguments, "-b", "127.0.0.1", host],
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SCAN_S,
        check=False,
    )
    return done.stdout + done.stderr
