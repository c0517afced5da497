"""Compiles the core in a checkout: `make core`, and `make lab` behind a switchboard that runs already.

The modules are built below build/core and then put into switchboard/_native all at once, so that no worker finds
a part of them. Compiled modules that are older than a source are removed: Python would prefer them.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from switchboard.twins import BUILD, BUILDING

HERE = Path(__file__).parent
NATIVE = HERE / "switchboard" / "_native"
BUILT = HERE / "build" / "core"
LOG = HERE / "build" / "core.log"
CPU_S = 35.0
"""What the compilation takes of a processor."""


class CannotCompile(Exception):
    """The core cannot be compiled here; the text says why, for people."""


def sources() -> list[Path]:
    """What the compiled modules are made of."""
    return [HERE / "setup.py", *NATIVE.glob("*.pyx"), *NATIVE.glob("*.pxi")]


def targets() -> list[Path]:
    """The compiled modules as this Python names them."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return [path.with_suffix(suffix) for path in sorted(NATIVE.glob("*.pyx"))]


def is_current() -> bool:
    """Whether all are compiled, and none before the last change of a source."""
    changed = max(path.stat().st_mtime for path in sources())
    return all(path.exists() and path.stat().st_mtime >= changed for path in targets())


def remove_outdated() -> None:
    """Remove what is compiled of older sources; who has it loaded keeps it."""
    if not is_current():
        for path in targets():
            path.unlink(missing_ok=True)


def about_s() -> float:
    """How long a compilation takes from now on, roughly, beside what else the processors do."""
    cores = os.cpu_count() or 1
    return CPU_S / cores * max(1.0, (os.getloadavg()[0] + cores) / cores)


def compile_core(begin: Callable[[float], None]) -> None:
    """Compile what is out of date, with all processors. Raises CannotCompile.

    If there is what it takes, `begin` is called first, with the seconds that it will last, roughly.
    """
    with _told():
        _require_compiler()
        begin(about_s())
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("w") as log:
            _run(
                log, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_build_requirements()
            )
            _run(log, "setup.py", "build_ext", "--build-lib", str(BUILT))
        _put_in_place()


@contextmanager
def _told() -> Iterator[None]:
    """Let the commands of the switchboard see that somebody compiles, or why that failed."""
    with BUILD.open("a+") as told:
        fcntl.flock(told, fcntl.LOCK_EX)
        told.truncate(0)
        told.write(BUILDING)
        told.flush()
        try:
            yield
        except CannotCompile as failure:
            told.truncate(0)
            told.write(str(failure))
            raise
        told.truncate(0)


def _require_compiler() -> None:
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if not shutil.which(command[0]):
        raise CannotCompile(f"there is no C compiler ({command[0]})")
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        raise CannotCompile("Python's headers are missing (Python.h)")


def _build_requirements() -> list[str]:
    told = tomllib.loads((HERE / "pyproject.toml").read_text())
    return list(told["build-system"]["requires"])


def _run(log: TextIO, *arguments: str) -> None:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if done.returncode:
        raise CannotCompile(f"{_last_error()} ({LOG.relative_to(HERE)} has more)")


def _put_in_place() -> None:
    """Move copies there, so that what is built is not built again."""
    made = [BUILT / path.relative_to(HERE) for path in targets()]
    if missing := [path.name.partition(".")[0] for path in made if not path.exists()]:
        raise CannotCompile(f"{', '.join(missing)}: {_last_error()} ({LOG.relative_to(HERE)} has more)")
    now = time.time()
    for path in made:
        shutil.copy(path, path.with_suffix(".new"))
        os.utime(path.with_suffix(".new"), (now, now))
    for path, target in zip(made, targets(), strict=True):
        os.replace(path.with_suffix(".new"), target)


def _last_error() -> str:
    lines = [line.strip() for line in LOG.read_text(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "error" in line.lower()), "it was not compiled")


def main() -> int:
    """Compile, and say how that went; returns the exit status."""
    if is_current():
        print("The core is compiled.")
        return 0
    remove_outdated()
    try:
        compile_core(lambda about_s: print(f"Compiling the core, about {about_s:.0f} s.", flush=True))
    except CannotCompile as failure:
        print(
            f"Not compiled: {failure}. All works in pure Python, at a fraction of the speed.", file=sys.stderr
        )
        return 1
    print("Compiled. A switchboard that runs takes it over with: switchboard restart --all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
