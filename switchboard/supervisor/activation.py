"""Sockets that systemd bound for us and passes on (sd_listen_fds)."""

import os
import socket

FIRST_FD = 3


def activated_sockets() -> list[socket.socket]:
    """The sockets of our `.socket` unit; none if the service was not started with one."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return []
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    sockets = [socket.socket(fileno=FIRST_FD + number) for number in range(count)]
    for each in sockets:
        each.set_inheritable(False)
    return sockets
