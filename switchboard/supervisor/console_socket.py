"""The console's listening socket: bound by its parent, inherited by its worker, so that restarts keep it."""

import errno
import os
import socket
from collections.abc import Callable

VARIABLE = "SWITCHBOARD_CONSOLE_SOCKET"  # environment of a worker: the inherited file descriptor
MAX_TRIES = 100
BACKLOG = 128
HIGHEST_PORT = 65535


class NoConsoleSocket(Exception):
    """There is nowhere to listen; the text says where and why, for people."""


def listen(address: str, port: int, report: Callable[[str], None]) -> socket.socket:
    """Listen at the port, or at the next free one; then `report` gets a line for the log. NoConsoleSocket."""
    for candidate in range(port, min(port + MAX_TRIES, HIGHEST_PORT + 1)):
        try:
            sock = _listen(address, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise NoConsoleSocket(
                    f"no console: {address} port {candidate} cannot be listened at: {error.strerror}. "
                    "SWITCHBOARD_CONSOLE chooses another address, or off"
                ) from error
            continue
        if candidate != port:
            report(f"port {port} is taken, the console takes {candidate} (SWITCHBOARD_CONSOLE says which)")
        return sock
    raise NoConsoleSocket(f"no console: ports {port} and the {MAX_TRIES - 1} after it are taken")


def inherited_socket() -> socket.socket:
    """Return the socket that this worker's parent holds. NoConsoleSocket if there is none."""
    fd = os.environ.get(VARIABLE, "")
    if not fd:
        raise NoConsoleSocket(f"{VARIABLE} names no socket: the console is started by `switchboard start`")
    return socket.socket(fileno=int(fd))


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
