"""sd_notify."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from supervisor.fake_children import command, tend_until

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import RpcServer
from switchboard.supervisor.child import LOOKS
from switchboard.supervisor.health import SignsOfLife, Watchdog, notify, signs_of_life
from switchboard.supervisor.worker import State, Worker


def test_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


@pytest.mark.parametrize("abstract", [False, True])
def test_message_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(20.0)
        systemd.bind(f"\0{path}" if abstract else path)
        notify("READY=1")
        assert systemd.recv(64) == b"READY=1"


@pytest.mark.parametrize(
    ("usec", "pid", "every_s"),
    [("20000000", "", [10.0]), ("20000000", str(os.getpid()), [10.0]), ("20000000", "1", []), ("", "", [])],
    ids=["ours", "ours by its pid", "another's", "not wanted"],
)
def test_signs_of_life_if_systemd_wants_them(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, every_s: list[float]
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    signs = signs_of_life()
    for sign in signs:
        sign.handle_timer(100.0)
    assert [sign.next_deadline() - 100.0 for sign in signs] == every_s


def test_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(20.0)
        systemd.bind(str(tmp_path / "notify"))
        SignsOfLife(1.0).handle_timer(0.0)
        assert systemd.recv(64) == b"WATCHDOG=1"


HUNG_AFTER_S = 10.0
LIMIT_MS = 15_000


@pytest.fixture
def said() -> list[str]:
    return []


@contextmanager
def watched(
    mode: str, context: BusContext, endpoints: Endpoints, said: list[str]
) -> Iterator[tuple[Worker, Watchdog]]:
    """A worker that was started and its watchdog."""
    worker = Worker("fake", 0, command(mode), standbys=False)
    worker.start(0.0)
    worker.tend((), 0.0)
    try:
        yield worker, Watchdog(context, [worker], endpoints.ask, HUNG_AFTER_S, said.append)
    finally:
        worker.kill()
        worker.stop(1000.0)
        tend_until(worker, lambda: worker.gone, 1001.0)


def become_up(worker: Worker) -> None:
    tend_until(worker, lambda: worker.state is State.UP, 0.0)


def test_who_does_not_answer_is_replaced(context: BusContext, endpoints: Endpoints, said: list[str]) -> None:
    with watched("steady", context, endpoints, said) as (worker, watchdog):
        become_up(worker)
        hung = worker.pid
        for _ in range(LOOKS):
            watchdog.handle_timer(0.0)
        assert said == []
        watchdog.handle_timer(0.0)
        assert said == [f"fake.0 (pid {hung}) has not answered for 10 s"]
        lines = tend_until(worker, lambda: worker.pid not in (None, hung) and worker.state is State.UP, 5.0)
        assert lines == [f"fake.0 (pid {hung}) was killed by {signal.SIGKILL.name}; restarting"]
        for _ in range(LOOKS):
            watchdog.handle_timer(0.0)
        assert len(said) == 1


def test_who_answers_now_and_then_is_left_alone(
    context: BusContext, endpoints: Endpoints, said: list[str]
) -> None:
    server = RpcServer(context, endpoints.ask("fake"))
    with watched("steady", context, endpoints, said) as (worker, watchdog):
        become_up(worker)
        for _ in range(3):
            for _ in range(LOOKS):
                watchdog.handle_timer(0.0)
            answer_all(server, watchdog)
        assert said == []


def answer_all(server: RpcServer, watchdog: Watchdog) -> None:
    """Answer as soon as something is asked, and return when an answer has come."""
    [(_, pulse)] = watchdog._pulses
    assert server.sockets[0].poll(LIMIT_MS)
    while question := server.take():
        assert question.subject == "stats"
        question.reply({})
    assert pulse._socket.poll(LIMIT_MS)


def test_who_is_still_starting_is_not_asked(
    context: BusContext, endpoints: Endpoints, said: list[str]
) -> None:
    server = RpcServer(context, endpoints.ask("fake"))
    with watched("silent", context, endpoints, said) as (worker, watchdog):
        tend_until(worker, lambda: worker.pid is not None, 0.0)
        for _ in range(LOOKS - 1):
            watchdog.handle_timer(0.0)
        assert server.take() is None
        assert said == []


def test_five_questions_in_the_time(context: BusContext, endpoints: Endpoints, said: list[str]) -> None:
    with watched("steady", context, endpoints, said) as (_, watchdog):
        watchdog.handle_timer(100.0)
        assert watchdog.next_deadline() == 100.0 + HUNG_AFTER_S / LOOKS
