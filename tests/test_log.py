import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from switchboard.log import trace_of

CODE = """
import structlog
from switchboard import log
log.configure("{level}", "{style}")
structlog.contextvars.bind_contextvars(worker="router.0")
logger = structlog.get_logger()
logger.info("dropped", count=3, phrase="Skúšanie")
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("crashed")
"""


def command(level: str, style: str = "auto") -> list[str]:
    return [sys.executable, "-c", CODE.format(level=level, style=style)]


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


def test_a_format_can_be_chosen_for_a_file() -> None:
    log = subprocess.run(command("info", "text"), stderr=subprocess.PIPE, check=True, timeout=10).stderr
    assert b"count=3" in log
    assert not log.startswith(b"{")


def test_the_journal_of_systemd_gets_priorities(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as stream:
        stat = os.fstat(stream.fileno())
        connected = {**os.environ, "JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
        subprocess.run(command("info"), stderr=stream, check=True, timeout=10, env=connected)
        subprocess.run(command("info", "text"), stderr=stream, check=True, timeout=10, env=connected)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line[:4] for line in lines[:2]] == ["<6>{", "<3>{"]
    assert len(lines) > 4  # a traceback as text
    assert lines[2].startswith("<6>")
    assert {line[:3] for line in lines[3:]} == {"<3>"}


def test_another_stream_than_the_journals_gets_none() -> None:
    elsewhere = {**os.environ, "JOURNAL_STREAM": "1:2"}
    log = subprocess.run(command("info"), stderr=subprocess.PIPE, check=True, timeout=10, env=elsewhere)
    assert log.stderr.startswith(b"{")


def test_a_call_has_one_trace_everywhere() -> None:
    code = """
import structlog
from switchboard import log
log.configure("info", "json")
structlog.get_logger().info("a", call_id="1@h")
structlog.get_logger().info("b")
log.set_level("error")
structlog.get_logger().info("c")
structlog.get_logger().error(log.current_level())
log.set_level("debug")
structlog.get_logger().debug("d")
"""
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=True, timeout=10)
    first, second, third, fourth = (json.loads(line) for line in done.stderr.splitlines())
    assert first["trace"] == trace_of("1@h") != trace_of("2@h")
    assert len(first["trace"]) == 32
    assert "trace" not in second
    assert [third["event"], fourth["event"]] == ["error", "d"]


def test_a_log_that_cannot_be_written_ends_nobody() -> None:
    """/dev/full answers each write as a full disk does."""
    with Path("/dev/full").open("w") as full:
        subprocess.run(command("info"), stderr=full, check=True, timeout=10)
