"""`switchboard console-password`."""

import subprocess
import sys

from switchboard.settings.password import parse_password_hash

COMMAND = [sys.executable, "-c", "from switchboard.cli.main import main; main()", "console-password"]


def run(said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, input=said, capture_output=True, text=True, timeout=20, check=False)


def test_a_hash_on_standard_output() -> None:
    done = run("a long password\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert parse_password_hash(done.stdout.strip()).fits("a long password")


def test_a_short_one_is_refused() -> None:
    done = run("short\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "At least 10" in done.stderr
