"""The choice between twins: the compiled code or the Python code. Both do the same; only the speed differs.

The compiled code is in `switchboard/_native`. A Python module imports its compiled twin from there if that is
possible. SWITCHBOARD_PURE=1 hides it. `setup.py` says how it is built.
"""

import fcntl
import os
import re
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

PURE = "SWITCHBOARD_PURE"
PACKAGE = "switchboard._native."
COMPILED = tuple(PACKAGE + name for name in ("wire", "engine", "journal", "registrar"))

NATIVE = Path(__file__).with_name("_native")
CHECKOUT = NATIVE.parents[1] / "build_core.py"
"""Only there in a checkout, where sources change after they were compiled; an installation has no such order."""
BUILD = NATIVE / "build.txt"
"""What the program that compiles leaves for us: BUILDING while it is at it (it holds a lock then), or why it failed."""
BUILDING = "building"
_INCLUDED = re.compile(r'^include "([^"]+)"', re.MULTILINE)
COMPILING = "being compiled in the background"


class PythonOnly:
    """A meta path finder that hides the compiled modules."""

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG004
        target: ModuleType | None = None,  # noqa: ARG004
    ) -> ModuleSpec | None:
        """Leave `name` to the others, unless it is to be hidden: ModuleNotFoundError."""
        if name.startswith(PACKAGE):
            raise ModuleNotFoundError(f"{name} is hidden, for {PURE} is set", name=name)
        return None


def obey_environment() -> None:
    """Hide the compiled modules if SWITCHBOARD_PURE=1, or if they are outdated.

    To be called before any of them is imported.
    """
    if (os.environ.get(PURE) == "1" or is_outdated()) and PythonOnly not in sys.meta_path:
        sys.meta_path.insert(0, PythonOnly)


def is_outdated() -> bool:
    """Whether a compiled module is older than a source of it: what it expects of the Python code may be gone."""
    if not CHECKOUT.exists():
        return False
    sources = (*NATIVE.glob("*.pyx"), *NATIVE.glob("*.pxi"))
    changed = max((path.stat().st_mtime for path in sources), default=0.0)
    return any(path.stat().st_mtime < changed and _is_older(path) for path in NATIVE.glob("*.so"))


def _is_older(compiled: Path) -> bool:
    made_at = compiled.stat().st_mtime
    waiting, seen = [f"{compiled.name.partition('.')[0]}.pyx"], set()
    while waiting:
        source = NATIVE / waiting.pop()
        if source in seen or not source.exists():
            continue
        if source.stat().st_mtime > made_at:
            return True
        seen.add(source)
        waiting += _INCLUDED.findall(source.read_text())
    return False


def core() -> str:
    """What this process runs on, in words."""
    missing = [name for name in COMPILED if not _is_there(name)]
    if not missing:
        return "compiled core"
    if len(missing) < len(COMPILED):
        return f"compiled core without {', '.join(missing)}"
    return "pure Python"


def described_core() -> str:
    """The same; where it is not compiled, with the reason as far as that is known."""
    told, why = core(), why_pure()
    return f"{told} ({why})" if why and told != "compiled core" else told


def why_pure() -> str:
    """Why the core is not compiled, or not yet: "" if nothing is known."""
    if os.environ.get(PURE) == "1":
        return f"{PURE}=1"
    return _told_by_the_build() or (
        "what is compiled is older than its sources: make core" if is_outdated() else ""
    )


def _told_by_the_build() -> str:
    with suppress(OSError), BUILD.open() as told:
        words = told.read().strip()
        if words != BUILDING:
            return words and f"not compiled: {words}"
        return COMPILING if _is_locked(told.fileno()) else ""
    return ""


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def interpreter() -> str:
    """Which Python this is, and which optimizations it was built with: without them its part costs a quarter more."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS"))
    found = {"PGO": "--enable-optimizations" in arguments or _is_debian(), "LTO": "--with-lto" in arguments}
    optimized = " and ".join(name for name, is_there in found.items() if is_there)
    return f"Python {sys.version.split()[0]} built with {optimized or 'neither PGO nor LTO'}"


def _is_debian() -> bool:
    """Whether the flag for PGO was taken out of what is installed, as only Debian does, which builds with it."""
    generates, uses = map(sysconfig.get_config_var, ("PGO_PROF_GEN_FLAG", "PGO_PROF_USE_FLAG"))
    return bool(generates) and not uses


def _is_there(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
