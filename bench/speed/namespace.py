"""Moves a program into a network namespace of its own, whose counters and loopback are nobody else's."""

import os
import shutil
import subprocess
import sys

MARK = "SWITCHBOARD_BENCH_NAMESPACE"


def enter_own_network(module: str) -> None:
    """Start `module` again in a namespace, with the same arguments; return at once if this has happened.

    SystemExit, with the reason, if it cannot be done. Without root a user namespace is made, too.
    """
    if os.environ.pop(MARK, ""):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            sys.exit(
                f"{program} is not installed, so there is no network of our own to measure in: "
                "on Debian install util-linux and iproute2"
            )
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    os.environ[MARK] = "1"
    os.execvp("unshare", ["unshare", "--net", *as_root, sys.executable, "-m", module, *sys.argv[1:]])
