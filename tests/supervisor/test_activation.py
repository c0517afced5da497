"""Socket activation: sockets that arrive from descriptor 3 on."""

import os
import socket
import subprocess
import sys

import pytest

from switchboard.supervisor.activation import activated_sockets

CHILD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
from switchboard.supervisor.activation import activated_sockets
sockets = activated_sockets()
print([each.getsockname()[1] for each in sockets], [each.get_inheritable() for each in sockets])
print(activated_sockets())
"""


def test_socket_is_taken_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        fd = bound.fileno()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(fd)], pass_fds=[fd], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == [f"[{bound.getsockname()[1]}] [False]", "[]"]


def test_meant_for_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert activated_sockets() == []
