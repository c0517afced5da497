"""What the drivers of all stacks have in common: where a stack runs, what it is told, how it is installed."""

import os
import pty
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from system.lan import HUB

Source = Literal["Debian", "PyPI", "npm"]
STOP_S = 3.0
INSTALL_S = 600.0
TESTS = Path(__file__).parents[1]
STACKS = Path(__file__).with_name("stacks")
REGISTERS, AGAIN = "registers", "registers again"
CALLS = ("calls, hangs up", "calls, is hung up")
IS_CALLED = ("is called, hangs up", "is called, is hung up")
WRITES, IS_WRITTEN_TO = "sends a message", "gets a message"
ALL = (REGISTERS, *CALLS, *IS_CALLED, WRITES, IS_WRITTEN_TO, AGAIN)
"""The steps of a trial, in their order: what a stack may be able to do at all, as its driver drives it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack runs: a host of its own on the LAN, a user with a password, a folder for its files."""

    user: str
    password: str
    """Empty where nobody is asked for one."""
    address: str
    folder: Path
    packages: Path
    """Where its package was installed, if that is not the system's."""
    prefix: Sequence[str]
    """What runs a command on its host."""
    server: str = HUB

    @property
    def aor(self) -> str:
        """The user's address-of-record."""
        return f"sip:{self.user}@{self.server}"


class Phone(Protocol):
    """A running stack. It is told what to do and asked nothing: the wire and the friend tell."""

    def say(self, *words: str) -> None:
        """One of: register · call USER · answer · hangup · message USER TEXT."""

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack: where it comes from, what it can do, what its users must know."""

    name: str
    source: Source
    package: str
    """With its version on PyPI and npm: "sippy==2.5.0", "sip@0.0.6"."""
    start: Callable[[Place], Phone]
    does: Sequence[str] = ALL
    needs: Sequence[str] = ()
    """Programs beside it."""
    note: str = ""

    @property
    def slug(self) -> str:
        """A name for folders, users and hosts."""
        return self.name.lower().replace(" ", "-").replace(".", "-").replace("::", "-")

    def version(self) -> str:
        """The version that runs."""
        if self.source == "Debian":
            return debian_version(self.package)
        return self.package.rpartition("==" if self.source == "PyPI" else "@")[2]

    def install(self, packages: Path) -> str:
        """Install what is not there; return why it cannot be had, or nothing."""
        if lacking := [program for program in self.needs if shutil.which(program) is None]:
            return f"there is no {', '.join(lacking)}"
        if self.source == "Debian":
            return "" if self.version() else f"not installed: apt-get install {self.package}"
        return "" if packages.exists() else _install(self.source, self.package, packages)


class Talkative:
    """A phone that is a program of ours around a library: it reads the words, a line each."""

    def __init__(self, place: Place, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with (place.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [*place.prefix, *command],
                cwd=place.folder,
                env={**os.environ, **environment, **about(place)},
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                text=True,
            )

    def say(self, *words: str) -> None:
        """Tell it; a program that has ended hears nothing."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(" ".join(words) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def stop(self) -> None:
        """End it: by the end of its input, or by force."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(STOP_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(STOP_S)


class Terminal:
    """A phone that is a console program at a terminal; `phrases` are what it calls our words."""

    def __init__(
        self,
        place: Place,
        command: Sequence[str],
        phrases: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._server = place.server
        self._phrases = phrases
        self._keyboard, screen = pty.openpty()
        self._process = subprocess.Popen(
            [*place.prefix, *command],
            cwd=place.folder,
            env={**os.environ, "TERM": "dumb", "HOME": str(place.folder), **(environment or {})},
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
        )
        os.close(screen)
        self._reader = threading.Thread(target=self._write_down, args=(place.folder / "said",), daemon=True)
        self._reader.start()

    def say(self, *words: str) -> None:
        """Type what the program calls this; nothing if it has no word for it."""
        if phrase := self._phrases.get(words[0]):
            line = phrase.format(*words[1:2], " ".join(words[2:]), server=self._server)
            os.write(self._keyboard, f"{line}\n".encode())

    def stop(self) -> None:
        """End it, by force if need be."""
        self.say("quit")
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        self._reader.join(STOP_S)
        os.close(self._keyboard)

    def _write_down(self, path: Path) -> None:
        with path.open("ab", buffering=0) as said:
            try:
                while text := os.read(self._keyboard, 4096):
                    said.write(text)
            except OSError:  # the terminal's other end is closed
                return


class Commands:
    """A phone that is a program for each word; `commands` are their command lines, as far as it has one."""

    def __init__(self, place: Place, commands: Mapping[str, Sequence[str]]) -> None:
        self._place = place
        self._commands = commands
        self._running: list[subprocess.Popen[bytes]] = []

    def say(self, *words: str) -> None:
        """Start the program for this word, if there is one; `{0}`, `{1}` in its line are what follows."""
        if command := self._commands.get(words[0]):
            line = [part.format(*words[1:2], " ".join(words[2:])) for part in command]
            with (self._place.folder / "said").open("ab") as said:
                self._running.append(
                    subprocess.Popen(
                        [*self._place.prefix, *line],
                        cwd=self._place.folder,
                        stdin=subprocess.DEVNULL,
                        stdout=said,
                        stderr=said,
                    )
                )

    def stop(self) -> None:
        """End those that still run."""
        for process in self._running:
            process.kill()
            process.wait(STOP_S)


def python_phone(place: Place, module: str) -> Phone:
    """The phone of a Python library: the driver's own file, run where the library is installed."""
    path = os.pathsep.join([str(place.packages), str(TESTS)])
    command = [sys.executable, "-P", str(STACKS / f"{module}.py")]
    return Talkative(place, command, {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"})


def about(place: Place) -> dict[str, str]:
    """What a program of ours reads of its place, from its environment."""
    return {
        "PHONE_USER": place.user,
        "PHONE_PASSWORD": place.password,
        "PHONE_ADDRESS": place.address,
        "PHONE_SERVER": place.server,
    }


def debian_version(package: str) -> str:
    """The version of an installed package; empty if it is not installed."""
    asked = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    state, _, version = done.stdout.partition(" ")
    return version if state == "installed" else ""


def _install(source: Source, package: str, packages: Path) -> str:
    commands = {
        "PyPI": [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target"],
        "npm": ["npm", "install", "--silent", "--no-audit", "--prefix"],
    }
    packages.parent.mkdir(parents=True, exist_ok=True)
    command = [*commands[source], str(packages), package]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode == 0:
        return ""
    shutil.rmtree(packages, ignore_errors=True)
    return (done.stderr.strip().splitlines() or ["it does not install"])[-1]
