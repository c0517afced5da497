"""Runs all components as an init system does, with the units of deploy/: a program that stands in for honcho.

It holds the UDP port and passes it to the edge (sd_listen_fds), with what the edge has stored (sd_notify, FDSTORE=1).
It starts again who ends, and ends them all on SIGTERM.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType

from switchboard.settings.hosts import Component
from switchboard.settings.model import load_settings
from switchboard.settings.site import components
from switchboard.supervisor.resources import FIRST_FD
from switchboard.transports.udp_sockets import bind_sockets

RESTART_PAUSE_S = 0.1
"""RestartSec of switchboard@.service."""
HEAR_S = 0.05
SHELL = ("/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec switchboard start "$0"')


class Stop(Exception):
    """SIGTERM has come."""


def main() -> None:
    """Run until SIGTERM."""
    settings = load_settings()
    (sock,) = bind_sockets(settings.sip_host, settings.sip_port)
    store = Store()
    running = {start(component, sock, store): component for component in components(settings)}
    signal.signal(signal.SIGTERM, _stop)
    try:
        while True:
            store.hear(HEAR_S)
            ended, _ = os.waitpid(-1, os.WNOHANG)
            if ended:
                time.sleep(RESTART_PAUSE_S)
                store.hear()
                component = running.pop(ended)
                running[start(component, sock, store)] = component
    except Stop:
        end(running)


class Store:
    """The descriptors that a service has stored, by name, until their peers have gone (systemd.service(5))."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.address = f"\0switchboard-test-{os.getpid()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)

    def hear(self, within_s: float = 0.0) -> None:
        """Take what is said, and let go of what has ended."""
        select.select([self._socket], [], [], within_s)
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                message, fds, _, _ = socket.recv_fds(self._socket, 4096, 1)
                self._take(dict(line.split("=", 1) for line in message.decode().splitlines()), fds)
        poll = select.poll()
        for fd in self.kept.values():
            poll.register(fd, 0)
        ended = {fd for fd, _ in poll.poll(0)}
        for name in [name for name, fd in self.kept.items() if fd in ended]:
            os.close(self.kept.pop(name))

    def _take(self, said: Mapping[str, str], fds: list[int]) -> None:
        name = said.get("FDNAME", "")
        if "FDSTORE" in said:
            self.kept[name] = fds[0]
        elif "FDSTOREREMOVE" in said and name in self.kept:
            os.close(self.kept.pop(name))


def start(component: Component, sock: socket.socket, store: Store) -> int:
    """Start a component, the edge with the socket and what it has stored; return its pid."""
    variables: Mapping[str, str] = os.environ
    actions: list[tuple[int, int, int]] = []
    if component is Component.EDGE:
        given = {"switchboard@edge.socket": sock.fileno(), **store.kept}
        above = max(FIRST_FD + len(given), *given.values()) + 1
        names, fds = ":".join(given), list(given.values())
        variables = {
            **os.environ, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names,
            "NOTIFY_SOCKET": store.address.replace("\0", "@"),
        }  # fmt: skip
        actions = [(os.POSIX_SPAWN_DUP2, fd, above + at) for at, fd in enumerate(fds)]
        actions += [(os.POSIX_SPAWN_DUP2, above + at, FIRST_FD + at) for at in range(len(fds))]
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
