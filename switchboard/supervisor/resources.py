"""What a parent holds for its workers: the directory of their sockets, those of systemd, the console's."""

import errno
import fcntl
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

FIRST_FD = 3
PREFIX = "switchboard-"
"""So begin the names of what is stored; those of sockets are the unit's, `switchboard@edge.socket`."""


def activated_sockets() -> list[socket.socket]:
    """The sockets of our `.socket` unit; none if the service was not started with one."""
    given = _given()
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(variable, None)
    sockets = [socket.socket(fileno=fd) for name, fd in given if not name.startswith(PREFIX)]
    for each in sockets:
        each.setblocking(False)
    return sockets


def stored_descriptors() -> dict[str, int]:
    """What a process of this service before us has stored, by name (`descriptor_store`); ask before for the sockets."""
    return {name: fd for name, fd in _given() if name.startswith(PREFIX)}


def _given() -> list[tuple[str, int]]:
    """Names and descriptors that systemd has passed to us (sd_listen_fds_with_names(3))."""
    if os.environ.get("LISTEN_PID", "") != str(os.getpid()):
        return []
    fds = range(FIRST_FD, FIRST_FD + int(os.environ.get("LISTEN_FDS", "0")))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    for fd in fds:
        os.set_inheritable(fd, False)
    return list(zip_longest(names[: len(fds)], fds, fillvalue=""))  # type: ignore[arg-type]


class Held(Exception):
    """Another process holds the component; `pid` is 0 if it has not said which."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


def make_data_dir(path: Path) -> None:
    """Make the directory, for us alone, unless it is there; OSError when we cannot write to it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def hold(run_dir: Path, component: str) -> int:
    """Take the lock of `component` for the life of this process; returns its descriptor. Raises Held."""
    descriptor = os.open(run_dir / f"{component}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).strip()
        os.close(descriptor)
        raise Held(int(pid or 0)) from None
    with suppress(OSError):  # a full disk: people will miss the number, nobody else
        os.ftruncate(descriptor, os.pwrite(descriptor, b"%d\n" % os.getpid(), 0))
    return descriptor


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
