"""A worker for tests of its parent: `fake_worker.py MODE`, or `@FILE` that holds the mode when it is loaded.

steady: serves until SIGTERM. `says WORD`: the same, and prints the word when it is ready. stubborn: ignores
SIGTERM. silent: is never ready. broken: ends while it loads. hangs: never has loaded. unfit: ends at its go.
leaves: ends when it is ready.
spins: computes for ever while it loads. busy: the same after its go, and says so.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from switchboard.busy import still_busy
from switchboard.supervisor.handshake import await_go, die_with_parent, tell_ready, tell_why


def main(mode: str) -> int:
    die_with_parent()
    if mode == "broken":
        return 3
    if mode == "hangs":
        signal.pause()
    while mode == "spins":
        pass
    if not await_go():
        return 0
    if mode == "unfit":
        tell_why("it is unfit ž\nand says more than that")
        return 4
    while mode == "busy":
        still_busy()
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGTERM}
    )  # a handler may miss one that comes before a pause
    if mode.startswith("says "):
        print(mode.removeprefix("says "), flush=True)
    if mode != "silent":
        tell_ready()
    if mode == "leaves":
        return 0
    signal.sigwait({signal.SIGUSR1 if mode == "stubborn" else signal.SIGTERM})
    os._exit(0)


def loaded(mode: str) -> str:
    return Path(mode[1:]).read_text() if mode.startswith("@") else mode


def run(arguments: Sequence[str]) -> None:
    """As a nursery calls it."""
    os._exit(main(loaded(arguments[0])))


if __name__ == "__main__":
    sys.exit(main(loaded(sys.argv[1])))
