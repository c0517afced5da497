import json
import os
import pty
import subprocess
import sys

import pytest

CODE = """
import structlog
from switchboard import log
log.configure("{level}")
structlog.contextvars.bind_contextvars(worker="router.0")
logger = structlog.get_logger()
logger.info("dropped", count=3, phrase="Skúšanie")
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("crashed")
"""


def command(level: str) -> list[str]:
    return [sys.executable, "-c", CODE.format(level=level)]


@pytest.mark.parametrize(("level", "expected"), [("info", ["dropped", "crashed"]), ("error", ["crashed"])])
def test_a_file_gets_json_lines(level: str, expected: list[str]) -> None:
    log = subprocess.run(command(level), stderr=subprocess.PIPE, check=True, timeout=10).stderr
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["event"] for event in events] == expected
    assert all(event["worker"] == "router.0" and event["at"].endswith("Z") for event in events)
    assert "ZeroDivisionError: division by zero" in events[-1]["exception"]


def test_structure_and_alphabet_are_kept() -> None:
    log = subprocess.run(command("info"), stderr=subprocess.PIPE, check=True, timeout=10).stderr
    event = json.loads(log.splitlines()[0])
    assert (event["level"], event["count"], event["phrase"]) == ("info", 3, "Skúšanie")
    assert "Skúšanie" in log.decode()


def test_a_terminal_gets_lines_for_people() -> None:
    master, slave = pty.openpty()
    subprocess.run(command("info"), stderr=slave, check=True, timeout=10, env={**os.environ, "NO_COLOR": "1"})
    os.close(slave)
    with os.fdopen(master, "rb", buffering=0) as terminal:
        log = terminal.read(65536).decode()
    assert "dropped" in log
    assert "count=3" in log
    assert "Traceback" in log
    assert not log.startswith("{")
