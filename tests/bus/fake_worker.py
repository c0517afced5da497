"""A worker for tests of its parent: ready at once (`steady`), or as its mode says."""

import os
import signal
import sys

from switchboard.bus.process import die_with_parent, tell_ready


def main(mode: str) -> int:
    die_with_parent()
    if mode == "broken":
        return 3
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else lambda *_: os._exit(0))
    if mode != "silent":
        tell_ready()
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
