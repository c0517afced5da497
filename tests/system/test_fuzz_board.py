"""The end-to-end fuzzer for some seconds: `make fuzz-board` runs it for minutes."""

import os
import subprocess
import sys

import pytest
from system.harness import PROJECT
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.load]

DATAGRAMS = "8000"
WARM_UP = "1000"
WITHIN_S = 180


def test_spoilt_datagrams_while_calls_go_on() -> None:
    require_root()
    require_tools("sipp", "unshare", "ip")
    done = subprocess.run(
        [sys.executable, "-m", "bench.fuzz_board", "--datagrams", DATAGRAMS, "--warm-up", WARM_UP],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
