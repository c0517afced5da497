"""Commands run as people run them, with a data directory of their own."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcServer
from switchboard.cli.main import make_app

LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has said, and its exit status."""

    status: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short enough for the sockets below it."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        yield Path(directory)


@pytest.fixture
def environment(data_dir: Path) -> dict[str, str]:
    """The environment of a command: no settings but the data directory and two routers."""
    ours = ("SWITCHBOARD_", "HONCHO_")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return {
        **inherited,
        "SWITCHBOARD_DATA_DIR": str(data_dir),
        "SWITCHBOARD_ROUTERS": "2",
        "SWITCHBOARD_HISTORY": "off",
    }


@pytest.fixture
def switchboard(environment: dict[str, str], data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `switchboard ARGUMENTS` with settings as keywords, in the data directory and in this process."""
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(data_dir)

    def run(*arguments: str, **variables: str) -> Done:
        settings = {f"SWITCHBOARD_{name}": text for name, text in variables.items()}
        result = CliRunner().invoke(make_app(), arguments, env=settings, catch_exceptions=False)
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def answering(data_dir: Path) -> Iterator[Callable[[str, str, Any], list[Any]]]:
    """Let a server answer a question: `answering(server, question, answer)` -> the bodies that it was asked.

    An answer may be a function of the body.
    """
    run_dir = data_dir / "run"
    run_dir.mkdir(exist_ok=True)
    stop = threading.Event()
    threads: list[threading.Thread] = []
    known: dict[str, tuple[dict[str, Any], list[Any]]] = {}
    with BusContext() as context:

        def answer(name: str, question: str, body: Any) -> list[Any]:
            answers, asked = known.get(name, ({}, []))
            answers[question] = body
            if name not in known:
                known[name] = answers, asked
                server = RpcServer(context, f"ipc://{run_dir}/{name}")
                threads.append(threading.Thread(target=_serve, args=(server, answers, asked, stop)))
                threads[-1].start()
            return asked

        yield answer
        stop.set()
        for thread in threads:
            thread.join(LIMIT_S)


def _serve(server: RpcServer, answers: dict[str, Any], asked: list[Any], stop: threading.Event) -> None:
    while not stop.is_set():
        if server.sockets[0].poll(10) and (got := server.take()):
            asked.append(got.body)
            if got.subject in answers:
                found = answers[got.subject]
                got.reply(found(got.body) if callable(found) else found)
            else:
                got.refuse("another question")
    server.close()
