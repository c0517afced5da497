"""`make lab`: runs honcho, and compiles the core in the background if that is not done yet.

The switchboard is there at once, in pure Python. Once the core is compiled all workers are restarted with it, one
after the other, which no call notices.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from build_core import CannotCompile, compile_core, is_current, remove_outdated
from switchboard.twins import PURE

SWITCHBOARD = (sys.executable, "-m", "switchboard")
HONCHO = Path(sys.executable).with_name("honcho")
TYPED = {"SWITCHBOARD_TYPED": "make lab"}
INTERRUPTED = 128 + signal.SIGINT
NICENESS = 10
UP_WITHIN_S = 120.0
LOOK_EVERY_S = 1.0
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become honcho, unless the set-up is wrong: then the reason is the last that is said, and the status 2."""
    signal.signal(signal.SIGINT, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the Makefile has it wait until now
    os.environ.update(TYPED)
    os.environ["PATH"] = f"{HONCHO.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if status := subprocess.run([*SWITCHBOARD, "start", "--check"]).returncode:
        sys.exit(status)
    if os.environ.get(PURE) != "1" and not is_current():
        remove_outdated()
        _compile_behind(os.getpid())
    _become_honcho()


def _become_honcho() -> None:
    """In this process: honcho takes the signals over once it has loaded, and until then Ctrl-C just ends it."""
    from honcho.command import main as honcho

    honcho(["start"])


def _end(_number: int, _frame: object) -> None:
    os._exit(INTERRUPTED)


def _compile_behind(honcho: int) -> None:
    """Fork who compiles. It ends with honcho, and Ctrl-C is not for it."""
    if os.fork():
        return
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, _end_group)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == honcho:
        os.nice(NICENESS)
        _compile()
    os._exit(0)


def _end_group(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.killpg(0, signal.SIGTERM)


def _compile() -> None:
    try:
        compile_core(_tell_begin)
    except CannotCompile as failure:
        _tell(f"Not compiled: {failure}. All works in pure Python, at a fraction of the speed.")
    else:
        _tell(_take_over())


def _tell_begin(about_s: float) -> None:
    _tell(f"Compiling in the background, about {about_s:.0f} s. Until then all runs in pure Python.")


def _tell(line: str) -> None:
    print(line, flush=True)


def _take_over() -> str:
    """Restart all workers once they are up; returns what is to be said."""
    deadline = time.monotonic() + UP_WITHIN_S
    while _ask("status").returncode:
        if time.monotonic() >= deadline:
            return "Now compiled; the switchboard is not up, and takes it over when it starts again."
        time.sleep(LOOK_EVERY_S)
    done = _ask("restart", "--all")
    if done.returncode:
        return f"Now compiled, but not taken over. {done.stderr.strip()}"
    return "Now compiled: all workers were restarted with it, one after the other."


def _ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*SWITCHBOARD, *arguments], capture_output=True, text=True)


if __name__ == "__main__":
    main()
