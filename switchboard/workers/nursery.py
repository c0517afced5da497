"""The process that loads the code of workers once, and forks them (`supervisor/nursery.py`)."""

import gc
import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Final, NoReturn

from switchboard import codec
from switchboard.supervisor.fork import fork_worker
from switchboard.supervisor.handshake import GO_FD, READY_FD, die_with_parent, leave
from switchboard.supervisor.nursery import NURSERY_FD, ORDER_OCTETS

ALONE: Final = "switchboard.workers.console"
"""No other worker has a use for its code."""
_LOOK_S = 0.0005


def main() -> NoReturn:
    """Fork what the parent asks for, until it closes the socket."""
    die_with_parent()
    with socket.socket(fileno=int(os.environ.pop(NURSERY_FD))) as parent:
        while order := _hear(parent):
            (module, arguments, inherited, variables), channel = order
            serve = partial(_load(module), arguments)
            gc.freeze()  # the collector of a fork would touch all that is shared
            _fork(serve, " ".join([module, *arguments]), channel, inherited, variables)
            for fd in channel:
                os.close(fd)
    leave(0)


def _hear(parent: socket.socket) -> tuple[Any, list[int]] | None:
    message, fds, _, _ = socket.recv_fds(parent, ORDER_OCTETS, 2, socket.MSG_CMSG_CLOEXEC)
    return (codec.unpack(message), fds) if message else None


def _load(module: str) -> Callable[[Sequence[str]], object]:
    """Code that cannot be loaded its worker tells of."""
    if module != ALONE:
        try:
            run: Callable[[Sequence[str]], object] = import_module(module).run
        except Exception:
            return partial(_load_and_run, module)
        return run
    return partial(_load_and_run, module)


def _load_and_run(module: str, arguments: Sequence[str]) -> None:
    import_module(module).run(arguments)


def _fork(
    serve: Callable[[], object],
    name: str,
    channel: list[int],
    inherited: list[int],
    variables: dict[str, str],
) -> None:
    """Fork twice, so that the worker is an orphan, whom the parent adopts."""
    try:
        between = os.fork()
    except OSError:
        return  # the pipe that is closed then tells the parent
    if between:
        os.waitpid(between, 0)
        return
    own, (ready, go) = os.getpid(), channel
    try:
        added = {**variables, READY_FD: str(ready), GO_FD: str(go)}
        fork_worker(partial(_serve, serve, own), [*channel, *inherited], added, name)
    finally:
        os._exit(0)


def _serve(serve: Callable[[], object], between: int) -> None:
    """Not before the parent has adopted it: a worker dies with its parent."""
    while os.getppid() == between:
        time.sleep(_LOOK_S)
    serve()


if __name__ == "__main__":
    main()
