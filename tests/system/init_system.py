"""Runs all components as an init system does, with the units of deploy/: a program that stands in for honcho.

It holds the UDP port and passes it to the edge (sd_listen_fds), starts again who ends, and ends them all on
SIGTERM.
"""

import os
import signal
import socket
import time
from collections.abc import Mapping
from types import FrameType

from switchboard.settings.hosts import Component
from switchboard.settings.model import load_settings
from switchboard.supervisor.resources import FIRST_FD
from switchboard.transports.udp_sockets import bind_sockets

RESTART_PAUSE_S = 0.1
"""RestartSec of switchboard@.service."""
SHELL = ("/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec switchboard start "$0"')


class Stop(Exception):
    """SIGTERM has come."""


def main() -> None:
    """Run until SIGTERM."""
    settings = load_settings()
    (sock,) = bind_sockets(settings.sip_host, settings.sip_port)
    running = {start(component, sock): component for component in Component}
    signal.signal(signal.SIGTERM, _stop)
    try:
        while True:
            ended, _ = os.wait()
            time.sleep(RESTART_PAUSE_S)
            component = running.pop(ended)
            running[start(component, sock)] = component
    except Stop:
        end(running)


def start(component: Component, sock: socket.socket) -> int:
    """Start a component, the edge with the socket; return its pid."""
    variables: Mapping[str, str] = {**os.environ, "LISTEN_FDS": "1"}
    actions = [(os.POSIX_SPAWN_DUP2, sock.fileno(), FIRST_FD)]
    if component is not Component.EDGE:
        variables, actions = os.environ, []
    return os.posix_spawn(
        SHELL[0], (*SHELL, component), variables, file_actions=actions, setsigdef=[signal.SIGTERM]
    )


def end(running: Mapping[int, Component]) -> None:
    """End them and wait for it."""
    for pid in running:
        os.kill(pid, signal.SIGTERM)
    for pid in running:
        os.waitpid(pid, 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stop


if __name__ == "__main__":
    main()
