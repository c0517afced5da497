"""Whom fail2ban's own reader finds in a log, by our filter."""

import re
import subprocess
from pathlib import Path

from system.tools import require_tools

FILTER = Path(__file__).parents[2] / "deploy" / "fail2ban" / "switchboard.conf"


def found(log: Path) -> list[str]:
    """The addresses, one for each line that counts."""
    require_tools("fail2ban-regex")
    read = subprocess.run(
        ["fail2ban-regex", "--out", "ip", str(log), str(FILTER)], capture_output=True, text=True, check=True
    )
    return re.findall(r"^[0-9a-f.:]+$", read.stdout, re.MULTILINE)
