"""Which twin runs: the compiled module or the Python one. Both do the same, told apart by speed only.

A compiled module either stands beside the .py that it was made of, and Python prefers it; or it is written by
hand, bears an underscore (`_scan` beside `scan`), and the Python module takes its functions over where it can
be imported. SWITCHBOARD_PURE=1 hides both kinds. `setup.py` says how they are built.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

PURE = "SWITCHBOARD_PURE"
PACKAGES = ("switchboard",)
HAND_WRITTEN = (
    "switchboard.sip._scan",
    "switchboard.sip._fields",
    "switchboard.sip._message",
    "switchboard.sip._splice",
    "switchboard.sip._grammar",
    "switchboard.sip._uri",
    "switchboard.transports._udp",
    "switchboard.bus._sockets",
    "switchboard.bus._share",
    "switchboard._codec",
    "switchboard.edge._intake",
    "switchboard.workers._translator",
)


class PythonOnly:
    """A meta path finder for the modules within PACKAGES: it sees no compiled ones."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the .py file. ModuleNotFoundError if there is none: nobody else shall look."""
        if path is None or name.partition(".")[0] not in PACKAGES:
            return None
        for directory in path:
            finder = FileFinder(directory, (SourceFileLoader, SOURCE_SUFFIXES))
            if spec := finder.find_spec(name, target):
                return spec
        raise ModuleNotFoundError(f"{name} is not there in Python, and {PURE} is set", name=name)


def obey_environment() -> None:
    """Hide the compiled modules if SWITCHBOARD_PURE=1. To be called before any of them is imported."""
    if os.environ.get(PURE) == "1" and PythonOnly not in sys.meta_path:
        sys.meta_path.insert(0, PythonOnly)


def core() -> str:
    """What this process runs on, in words."""
    missing = [name for name in HAND_WRITTEN if not _is_there(name)]
    if not missing:
        return "compiled core"
    if len(missing) < len(HAND_WRITTEN):
        return f"compiled core without {', '.join(missing)}"
    return "pure Python"


def _is_there(name: str) -> bool:
    """Asked after its Python twin, which takes it over: some of the compiled ones import their reference."""
    try:
        import_module(name.replace("._", "."))
        import_module(name)
    except ImportError:
        return False
    return True
