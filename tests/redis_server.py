"""A Redis server of a test's own, on 127.0.0.1 at a free port."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from system import harness
from system.tools import require_modules, require_tools

LIMIT_S = 30.0


def free_port() -> int:
    """One of 127.0.0.1 that no connection takes while the server is away."""
    return harness.free_port("127.0.0.1")


class RedisServer:
    """Started at once; `options` of redis-server, as they stand on its command line. `sentinel`: one with that file."""

    def __init__(self, directory: Path, *options: str, sentinel: Path | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self._options, self._sentinel = options, sentinel
        directory.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """One for the test itself."""
        return redis.Redis(port=self.port, socket_timeout=LIMIT_S)

    def start(self) -> None:
        """Answers when this returns."""
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        if self._sentinel:
            command = ["redis-server", str(self._sentinel), *place, "--sentinel"]
        else:
            command = ["redis-server", *place, "--save", "", *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + LIMIT_S
        while not self._answers():
            assert time.monotonic() < until, "redis-server does not answer"
            assert self.process.poll() is None, "redis-server has ended"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with self.client as client:
                client.execute_command("PING")
        except redis.ResponseError:
            return True  # it wants a password
        except redis.RedisError:
            return False
        return True

    def hang(self) -> None:
        """It takes connections and requests, and answers nothing (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `hang`."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """By SIGKILL."""
        self.process.kill()
        self.process.wait()

    def do(self, *command: object) -> Any:
        """Send a command."""
        with self.client as client:
            return client.execute_command(*command)


@contextmanager
def redis_server(directory: Path, *options: str, sentinel: Path | None = None) -> Iterator[RedisServer]:
    """A server that is gone afterwards; the test is skipped where there is none to start."""
    require_modules("redis")
    require_tools("redis-server")
    server = RedisServer(directory, *options, sentinel=sentinel)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)
