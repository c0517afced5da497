"""`make lab`: what is said before anything starts, and once the core is compiled."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import run_lab
from build_core import CannotCompile

PROJECT = Path(run_lab.__file__).parent
LIMIT_S = 30.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No settings but a data directory; nothing is compiled."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("SWITCHBOARD_")}
    ours = {"SWITCHBOARD_DATA_DIR": str(tmp_path), "SWITCHBOARD_PURE": "1", "PYTHONPATH": str(PROJECT)}
    return inherited | ours


def run(environment: dict[str, str], **variables: str) -> "subprocess.CompletedProcess[str]":
    settings = {f"SWITCHBOARD_{name}": text for name, text in variables.items()}
    return subprocess.run(
        [sys.executable, str(PROJECT / "run_lab.py")],
        cwd=PROJECT,
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def free_port(taken_port: int) -> int:
    """One above a port that was given out, as a rule nobody's."""
    return taken_port + 1 if taken_port < 65535 else taken_port - 1


def test_a_taken_port_is_told_before_anything_starts(environment: dict[str, str], taken_port: int) -> None:
    done = run(environment, SIP_HOST="127.0.0.1", SIP_PORT=str(taken_port))
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Port {taken_port}/udp is already used by ")
    assert line.endswith(f"SWITCHBOARD_SIP_PORT={taken_port + 10} make lab, or stop that process.")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SIP_PORT": "many"}, "Bad setting sip_port"),
        ({"DATA_DIR": "/proc/none"}, "The data directory /proc/none cannot be used"),
    ],
)
def test_bad_settings_are_told_before_anything_starts(
    environment: dict[str, str], variables: dict[str, str], message: str
) -> None:
    done = run(environment, **variables)
    assert done.stderr.startswith(message)
    assert "make lab" in done.stderr.splitlines()[-1]
    assert (done.returncode, done.stdout) == (2, "")


def test_ctrl_c_while_honcho_loads_ends_it_without_a_word(
    environment: dict[str, str], tmp_path: Path, free_port: int
) -> None:
    loads = tmp_path / "modules" / "honcho"
    loads.mkdir(parents=True)
    (loads / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    environment["PYTHONPATH"] = f"{loads.parent}{os.pathsep}{PROJECT}"
    done = run(environment, SIP_HOST="127.0.0.1", SIP_PORT=str(free_port))
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")


def told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int, restart: int
) -> str:
    """The last line about a compilation that went well; the exit statuses of what the switchboard is asked."""

    def ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
        answers = {("status",): status, ("restart", "--all"): restart}
        return subprocess.CompletedProcess(arguments, answers[arguments], "", "Stopped: router.0.\n")

    monkeypatch.setattr(run_lab, "compile_core", lambda begin: begin(20.0))
    monkeypatch.setattr(run_lab, "UP_WITHIN_S", 0.0)
    monkeypatch.setattr(run_lab, "_ask", ask)
    run_lab._compile()
    first, last = capsys.readouterr().out.splitlines()
    assert first == "Compiling in the background, about 20 s. Until then all runs in pure Python."
    return str(last)


@pytest.mark.parametrize(
    ("status", "restart", "said"),
    [
        (0, 0, "Now compiled: all workers were restarted with it, one after the other."),
        (1, 0, "Now compiled; the switchboard is not up, and takes it over when it starts again."),
        (0, 1, "Now compiled, but not taken over. Stopped: router.0."),
    ],
)
def test_the_end_of_a_compilation_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int, restart: int, said: str
) -> None:
    assert told(capsys, monkeypatch, status, restart) == said


def test_a_failure_is_told_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise CannotCompile("there is no C compiler (cc)")

    monkeypatch.setattr(run_lab, "compile_core", fail)
    run_lab._compile()
    last = capsys.readouterr().out.splitlines()[-1]
    assert (
        last
        == "Not compiled: there is no C compiler (cc). All works in pure Python, at a fraction of the speed."
    )
