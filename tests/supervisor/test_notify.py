"""sd_notify."""

import os
import socket
from pathlib import Path

import pytest

from switchboard.supervisor.notify import SignsOfLife, notify, signs_of_life


def test_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


@pytest.mark.parametrize("abstract", [False, True])
def test_message_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(5.0)
        systemd.bind(f"\0{path}" if abstract else path)
        notify("READY=1")
        assert systemd.recv(64) == b"READY=1"


@pytest.mark.parametrize(
    ("usec", "pid", "every_s"),
    [("20000000", "", [10.0]), ("20000000", str(os.getpid()), [10.0]), ("20000000", "1", []), ("", "", [])],
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
        systemd.settimeout(5.0)
        systemd.bind(str(tmp_path / "notify"))
        SignsOfLife(1.0).handle_timer(0.0)
        assert systemd.recv(64) == b"WATCHDOG=1"
