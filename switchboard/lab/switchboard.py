"""A switchboard of its own, at a free port and with a directory that goes with it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from switchboard.settings.model import Settings
from switchboard.settings.origin import PREFIX
from switchboard.settings.site import open_context
from switchboard.survey.ask import ask_parents

HOST = "127.0.0.1"
UP_WITHIN_S = 30.0
DOWN_WITHIN_S = 10.0
LOOK_EVERY_S = 0.1


class NotStarted(Exception):
    """It did not come up; the text is what it said."""


@contextmanager
def started(language: str) -> Iterator[tuple[str, int]]:
    """A switchboard on the loopback address while the context lasts: its address and port. NotStarted."""
    with TemporaryDirectory(prefix="switchboard-lab-") as home:
        settings = Settings(
            sip_host=HOST,
            sip_port=_free_port(),
            data_dir=Path(home) / "data",
            routers=1,
            console="off",
            history=False,
        )
        process = _launch(Path(home), settings, language)
        try:
            _wait_up(process, settings, Path(home) / "log")
            yield HOST, settings.sip_port
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(DOWN_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _launch(home: Path, settings: Settings, language: str) -> "subprocess.Popen[bytes]":
    (home / "switchboard.toml").touch()
    ours = {
        "CONFIG": str(home / "switchboard.toml"),
        "SIP_HOST": settings.sip_host,
        "SIP_PORT": str(settings.sip_port),
        "DATA_DIR": str(settings.data_dir),
        "ROUTERS": str(settings.routers),
        "LANGUAGE": language,
        "SPARES": "false",
        "CONSOLE": settings.console,
        "HISTORY": "off",
    }
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "switchboard", "start"],
            env=inherited | {PREFIX + name: text for name, text in ours.items()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_up(process: "subprocess.Popen[bytes]", settings: Settings, log: Path) -> None:
    until = time.monotonic() + UP_WITHIN_S
    with open_context(settings) as context:
        while process.poll() is None and time.monotonic() < until:
            workers = ask_parents(context, settings)
            if all(each["state"] == "up" for each in workers):
                return
            time.sleep(LOOK_EVERY_S)
    raise NotStarted(log.read_text(errors="replace"))


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
