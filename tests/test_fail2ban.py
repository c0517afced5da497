"""The filter for fail2ban, on lines as our own log writes them, read by fail2ban itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from system.fail2ban import found

PROJECT = Path(__file__).parents[1]
WRITE = """
import structlog
from switchboard import log
log.configure()
structlog.contextvars.bind_contextvars(worker="edge-rx.0")
log = structlog.get_logger()
log.warning("flood ignored", source="192.0.2.1", limit_a_second="400", ignored_s="10")
log.warning("scanner dropped", source="2001:db8::1", user_agent="friendly-scanner")
log.warning("auth failed", source="192.0.2.2", user="x", method="REGISTER", reason="wrong password")
log.warning("auth failed", source="192.0.2.3", user="x source=198.51.100.1 y", method="a", reason="replayed")
log.warning("auth failed", source="192.0.2.4", user='x", "source": "198.51.100.1', reason="replayed")
log.warning("unknown keys refused", addresses=["192.0.2.5"])
log.info("auth failed to matter", source="192.0.2.6")
"""


@pytest.mark.parametrize("watched", [True, False])
def test_who_attacks_is_found_and_nobody_else(tmp_path: Path, watched: bool) -> None:
    """As people see it under honcho, and as JSON; what a stranger wrote names nobody."""
    environment = {name: text for name, text in os.environ.items() if name != "HONCHO_PROCESS_NAME"}
    if watched:
        environment["HONCHO_PROCESS_NAME"] = "edge.1"
    written = subprocess.run(
        [sys.executable, "-c", WRITE], env=environment, cwd=PROJECT, stderr=subprocess.PIPE, check=True
    )
    file = tmp_path / "switchboard.log"
    file.write_bytes(written.stderr)
    assert found(file) == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
