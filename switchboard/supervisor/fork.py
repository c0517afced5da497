"""How a parent forks a worker that finds its code loaded: the imports are paid once, and their memory is shared.

Theory. A fork has only the thread that forked it, and each lock as it was at that moment. So a parent forks as long as
it has one thread and no ZeroMQ context. What the new process inherits besides memory is put right before it runs: it
keeps the descriptors that are named, is a process group of its own, ends at the signals that end a process, and bears a
name of its own in `ps`.
"""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

Serve = Callable[[], object]
"""What a worker does; it ends the process, and does not return."""
_STANDARD = {0, 1, 2}
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
"""Whose handlers are the parent's. They wait while it forks, so that none of them is lost with a handler."""
_COMMAND_LINE = slice(45, 47)
"""Where `/proc/PID/stat` has, behind the name, the addresses between which the command line is."""


def fork_worker(serve: Serve, fds: Collection[int], variables: Mapping[str, str], name: str) -> int:
    """Fork a process that serves, and return its pid; `name` is its command line.

    It keeps `fds` and the standard streams. `variables` add to its environment. OSError: there is no process to give.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # not once more by the new process
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setpgid(0, 0)
        _close_all_but(_STANDARD.union(fds))
        os.environ.update(variables)
        _take_name(name)
        serve()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def _close_all_but(kept: Collection[int]) -> None:
    for fd in set(map(int, os.listdir("/proc/self/fd"))).difference(kept):
        with suppress(OSError):  # it was for the listing
            os.close(fd)


def _take_name(name: str) -> None:
    """Write it over the command line, as much of it as there is room for."""
    try:
        stat = Path("/proc/self/stat").read_bytes()
    except OSError:
        return
    start, end = map(int, stat.rpartition(b")")[2].split()[_COMMAND_LINE])
    if 0 < start < end:
        room = end - start
        ctypes.memmove(start, name.encode()[: room - 1].ljust(room, b"\0"), room)
