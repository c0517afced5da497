"""A PostgreSQL server of a test's own: on 127.0.0.1 at a free port, and at a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from redis_server import free_port
from system.tools import refuse

LIMIT_S = 30.0
ROLE = "switchboard"
PASSWORD = "ein geheimes Wort/@"
_ACCESS = f"""
local all all trust
host all {ROLE} 127.0.0.1/32 scram-sha-256
host all,replication all 127.0.0.1/32 trust
"""
_PROGRAMS = Path("/usr/lib/postgresql")


def _programs() -> Path:
    """The directory with initdb; Debian keeps it off the PATH."""
    if found := sorted(_PROGRAMS.glob("*/bin/initdb")):
        return found[-1].parent
    if not (on_path := shutil.which("initdb")):
        refuse("not installed: postgresql")
    return Path(on_path).parent


def _as_owner(*command: object) -> list[str]:
    """PostgreSQL does not run as root. It ends with the process that starts it, however that ends."""
    words = ["setpriv", "--pdeathsig", "INT"]
    if _is_root():
        words += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*words, *map(str, command)]


def _is_root() -> bool:
    return os.geteuid() == 0


class PostgresServer:
    """Started at once. `options`: settings of the server, as `fsync=off`. Its superuser is `postgres`.

    Each `database()` is empty, and belongs to the role `switchboard`.
    """

    def __init__(self, *options: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pg-"))  # short, for the socket's path
        self.port = free_port()
        self._options, self._programs, self._databases = options, _programs(), 0
        if _is_root():
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.data = self.directory / "data"
        self._run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
        )
        (self.data / "pg_hba.conf").write_text(_ACCESS)
        self.start()
        self.do(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        """Answers when this returns."""
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self.directory}",
        ]
        settings += ["shared_buffers=16MB", "max_connections=40", *self._options]
        words = [word for each in settings for word in ("-c", each)]
        command = _as_owner(self._programs / "postgres", "-D", self.data, *words)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
            )
        until = time.monotonic() + LIMIT_S
        while not self._answers():
            assert time.monotonic() < until, "postgres does not answer"
            assert self.process.poll() is None, (self.directory / "log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            self.do("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """By SIGKILL, with all its processes."""
        if self.process.poll() is None:
            self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """It answers nobody any more, but the system still takes packets for it; see `go_on`."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """A session may end meanwhile."""
        for each in self._processes():
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def _processes(self) -> list[int]:
        """The server's first, then those of its sessions, each of which has a session of the system's of its own."""
        first = self.process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def do(self, statement: str, *values: Any, database: str = "postgres") -> list[Any]:
        """Send a statement as the superuser, or several; the rows of the last."""
        place = f"host={self.directory} port={self.port} user=postgres dbname={database}"
        with psycopg.connect(place, autocommit=True, connect_timeout=int(LIMIT_S)) as connection:
            cursor = connection.execute(statement, values or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def database(self) -> str:
        """The name of a new one."""
        self._databases += 1
        name = f"board{self._databases}"
        self.do(f"CREATE DATABASE {name} OWNER {ROLE}")
        return name

    def url(self, database: str, options: str = "") -> str:
        """For the role `switchboard`, by TCP, with its password."""
        return f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}{options}"

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            _as_owner(self._programs / program, *arguments),
            check=True,
            capture_output=True,
            cwd=self.directory,
        )


@contextmanager
def postgres_server(*options: str) -> Iterator[PostgresServer]:
    """A server that is gone afterwards; the test is skipped where there is none to start."""
    server = PostgresServer(*options)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.directory, ignore_errors=True)
