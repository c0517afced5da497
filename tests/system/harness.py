"""Runs the product as its users do: `honcho start` with the project's Procfile."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil
from system import probe
from system.control import Component, ask_parents
from system.sipmsg import Address

PROJECT = Path(__file__).parents[2]
HONCHO = ("honcho", "start", "-f", str(PROJECT / "Procfile"))
INIT_SYSTEM = (sys.executable, str(Path(__file__).with_name("init_system.py")))
"""Starts a parent again when it ends; honcho would end everything."""
LISTENING = (20_000, 32_000)
"""Ports below those of the kernel's own choice."""
START_S = 60.0
"""Within this all components are up, even on a busy machine."""
STOP_S = 15.0
"""Within this everything has ended after SIGTERM, even on a busy machine."""
PATIENCE_S = 20.0
COMMAND_S = 60.0
POLL_S = 0.05

Found = TypeVar("Found")
CallRecord = dict[str, Any]
"""A call detail record as it stands in cdr.jsonl."""


class Switchboard:
    """A switchboard with a port and a data directory of its own; it runs inside the `with` block.

    `environment` adds to (or changes) the settings given here. With `namespace` all processes run in that
    network namespace. The data directory is a temporary one unless given. `runner` starts the components:
    HONCHO or INIT_SYSTEM. Leaving the block asserts that it ends in time, leaves no process behind and wrote
    no traceback.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        data_dir: Path | None = None,
        namespace: str | None = None,
        runner: Sequence[str] = HONCHO,
    ) -> None:
        self.host = host
        self.port = port or free_port(host)
        self._namespace = namespace
        self._runner = runner
        self._temporary = TemporaryDirectory(prefix="switchboard-test-")
        self._home = Path(self._temporary.name)
        self.data_dir = data_dir or self._home / "data"
        self._log_path = self._home / "honcho.log"
        self._environment = self._make_environment(environment or {})
        self._honcho: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        """Where phones send to."""
        return self.host, self.port

    @property
    def environment(self) -> Mapping[str, str]:
        """What its processes and commands have."""
        return self._environment

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_up()
        except BaseException as error:
            error.add_note(self.log())
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._clean_up()

    def start(self) -> None:
        """Run `honcho start`, or the `runner`; does not wait."""
        with self._log_path.open("ab") as log:
            self._honcho = subprocess.Popen(
                self._command(*self._runner),
                cwd=self._home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_up(self, timeout_s: float = START_S) -> None:
        """Return when every component is up and an OPTIONS is answered; AssertionError after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        wait_until(lambda: self.is_up(), "everything up", timeout_s)
        assert self._answers(max(1.0, deadline - time.monotonic())), "no answer to OPTIONS"

    def stop(self) -> None:
        """End it with SIGTERM; AssertionError if it takes too long, leaves a process or wrote a traceback."""
        assert self._honcho is not None, "it was not started"
        self._honcho.send_signal(signal.SIGTERM)
        try:
            self._honcho.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"running {STOP_S:g} s after SIGTERM: {self.processes()}") from None
        assert not self.processes(), f"left behind: {self.processes()}"
        assert "Traceback" not in self.log(), self.log()

    def crash(self) -> None:
        """SIGKILL all of it; what is in a data directory that was given stays."""
        self._clean_up()

    def fail_to_start(self, timeout_s: float = START_S) -> tuple[int, str]:
        """Start it where it cannot run; return honcho's exit status and what was printed."""
        try:
            self.start()
            assert self._honcho is not None
            return self._honcho.wait(timeout_s), self.log()
        finally:
            self._clean_up()

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `switchboard ARGUMENTS`; with `check` AssertionError unless it exits with 0."""
        done = subprocess.run(
            self._command("switchboard", *arguments),
            cwd=self._home,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == 0 or not check, f"switchboard {arguments}: {done.stdout}{done.stderr}"
        return done

    @contextmanager
    def cli_beside(self, *arguments: str) -> Iterator[None]:
        """Run `switchboard ARGUMENTS` beside the block; AssertionError unless it exits with 0 then."""
        process = subprocess.Popen(
            self._command("switchboard", *arguments),
            cwd=self._home,
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            yield
            _, said = process.communicate(timeout=COMMAND_S)
        assert process.returncode == 0, f"switchboard {arguments}: {said}"

    def start_command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `switchboard ARGUMENTS` with its output in pipes."""
        return subprocess.Popen(
            self._command("switchboard", *arguments),
            cwd=self._home,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def status(self) -> list[Component]:
        """What `switchboard status --json` shows; AssertionError if its exit status does not fit."""
        done = self.cli("status", "--json", check=False)
        components: list[Component] = json.loads(done.stdout)["components"]
        assert done.returncode == (0 if all(one["state"] == "up" for one in components) else 1)
        return components

    def components(self) -> list[Component]:
        """All components as their parents tell; AssertionError if a parent is silent."""
        return wait_until(lambda: self._ask_parents(), "an answer of every parent")

    def _ask_parents(self) -> list[Component]:
        return ask_parents(self.data_dir)

    def component(self, name: str, instance: int = 0) -> Component:
        """One of the components."""
        found = [one for one in self.components() if (one["name"], one["instance"]) == (name, instance)]
        assert len(found) == 1, f"{len(found)} components {name}.{instance}"
        return found[0]

    def wait_component(
        self, name: str, wanted: Callable[[Component], bool], timeout_s: float = PATIENCE_S
    ) -> Component:
        """Return the component (instance 0) as soon as it is as `wanted`."""
        return wait_until(
            lambda: next(filter(wanted, [self.component(name)]), None), f"{name} as wanted", timeout_s
        )

    def kill(self, name: str, instance: int = 0) -> int:
        """SIGKILL the worker; return the pid that it had."""
        return self._signal(name, instance, signal.SIGKILL)

    def hang(self, name: str, instance: int = 0) -> int:
        """SIGSTOP the worker; return its pid."""
        return self._signal(name, instance, signal.SIGSTOP)

    @contextmanager
    def kept_down(self, name: str) -> Iterator[None]:
        """Inside the block the worker is dead and nobody restarts it: its parent is stopped (SIGSTOP).

        With HONCHO all components have the same one, and `status` has no answer meanwhile.
        """
        pid = self.component(name)["pid"]
        assert pid is not None, f"{name} is down"
        worker = psutil.Process(pid)
        parent = psutil.Process(worker.ppid())
        parent.suspend()
        try:
            worker.kill()
            wait_until(lambda: worker.status() == psutil.STATUS_ZOMBIE, f"the end of {name}")
            yield
        finally:
            parent.resume()

    def cdr(self) -> list[CallRecord]:
        """The call detail records written so far; a line that is not yet complete is left out."""
        path = self.data_dir / "cdr.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]

    def wait_cdr(self, count: int, timeout_s: float = PATIENCE_S) -> list[CallRecord]:
        """Return the records as soon as there are `count`; AssertionError if more, or never enough."""
        wait_until(lambda: len(self.cdr()) >= count, f"{count} call detail records", timeout_s)
        records = self.cdr()
        assert len(records) == count, f"{len(records)} call detail records instead of {count}"
        return records

    def wait_record(self, call_id: str, timeout_s: float = PATIENCE_S) -> CallRecord:
        """Return the record of one call; AssertionError if it has several, or none in time."""
        records = wait_until(lambda: self._records(call_id), f"the record of {call_id}", timeout_s)
        assert len(records) == 1, f"{len(records)} records of one call: {records}"
        return records[0]

    def log(self) -> str:
        """All that honcho and the product printed."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def wait_logged(self, text: str) -> str:
        """Return the first line with `text` that was printed, as soon as honcho has passed it on."""

        def logged() -> str | None:
            return next((line for line in self.log().splitlines() if text in line), None)

        return wait_until(logged, f"{text!r} in the log")

    def wait_said(self, arguments: Sequence[str], *texts: str) -> str:
        """Return what `switchboard ARGUMENTS` prints as soon as it has all `texts`: history comes after messages."""
        deadline = time.monotonic() + PATIENCE_S
        while missing := [
            text for text in texts if text not in (said := self.cli(*arguments, check=False).stdout)
        ]:
            assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {missing}, but\n{said}"
        return said

    def processes(self) -> list[psutil.Process]:
        """All living processes that were started with our data directory, whoever their parent is now."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _signal(self, name: str, instance: int, number: signal.Signals) -> int:
        pid = self.component(name, instance)["pid"]
        assert pid is not None, f"{name} is down"
        os.kill(pid, number)
        return pid

    def _records(self, call_id: str) -> list[CallRecord]:
        return [record for record in self.cdr() if record["call_id"] == call_id]

    def is_up(self) -> bool:
        """Whether every component is up; AssertionError if honcho has ended."""
        assert self._honcho is not None, "it was not started"
        assert self._honcho.poll() is None, f"honcho ended with {self._honcho.returncode}"
        components = self._ask_parents()
        return bool(components) and all(one["state"] == "up" for one in components)

    def _answers(self, timeout_s: float) -> bool:
        if self._namespace is None:
            return probe.answers_options(self.host, self.port, timeout_s)
        command = self._command(sys.executable, probe.__file__, self.host, str(self.port), str(timeout_s))
        return subprocess.run(command, timeout=timeout_s + COMMAND_S, check=False).returncode == 0

    def _command(self, *words: str) -> list[str]:
        return [*(["ip", "netns", "exec", self._namespace] if self._namespace else []), *words]

    def _make_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SWITCHBOARD_")}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "SWITCHBOARD_SIP_HOST": self.host,
            "SWITCHBOARD_SIP_PORT": str(self.port),
            "SWITCHBOARD_DATA_DIR": str(self.data_dir),
            "SWITCHBOARD_MIN_EXPIRES": "1",
            "SWITCHBOARD_CONSOLE": "off",
            **extra,
        }

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("SWITCHBOARD_DATA_DIR") == str(self.data_dir)
        except psutil.Error:
            return False

    def _clean_up(self) -> None:
        killed = self.processes()
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, STOP_S)
        if self._honcho is not None:
            self._honcho.wait(STOP_S)
        self._temporary.cleanup()


def wait_until(check: Callable[[], Found | None], what: str, timeout_s: float = PATIENCE_S) -> Found:
    """Return the first true value of `check`, asked every `POLL_S`; AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(POLL_S)
    return found


def free_port(host: str) -> int:
    """Return a port that nobody uses on `host`, over UDP or TCP, and that the kernel gives to no connection.

    Tests that run side by side (pytest-xdist) draw from different ones.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    first, end = LISTENING
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    sides = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(first + number, end, sides)
        with (
            suppress(OSError),
            socket.socket(family, socket.SOCK_DGRAM) as datagrams,
            socket.socket(family, socket.SOCK_STREAM) as connections,
        ):
            datagrams.bind((host, port))
            connections.bind((host, port))
            return port
