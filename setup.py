"""The compiled core: every .pyx of switchboard/_native. Without it all runs in Python."""

import os
import warnings
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("switchboard/_native")
# Annotations are for mypy: compiled code takes whatever the Python twin takes.
DIRECTIVES = {"language_level": "3", "annotation_typing": False, "auto_pickle": False, "binding": False}


def extensions() -> list[Extension]:
    """All of them; Cython sees for itself which parts (.pxi) they include."""
    if os.environ.get("SWITCHBOARD_COMPILE") == "no":  # `make lab` does it later
        return []
    try:
        from Cython.Build import cythonize
        from Cython.Compiler import Options
    except ImportError:
        warnings.warn("Cython is missing: the switchboard will run in pure Python", stacklevel=1)
        return []
    Options.emit_code_comments = False
    modules = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=["-g0", "-O2"])
        for path in sorted(NATIVE.glob("*.pyx"))
    ]
    compiled: list[Extension] = cythonize(
        modules,
        build_dir="build/cython",
        compiler_directives=DIRECTIVES,
        nthreads=min(len(modules), os.cpu_count() or 1),
    )
    for module in compiled:
        module.optional = True  # cythonize forgets it if it is said before
    return sorted(compiled, key=lambda module: -Path(module.sources[0]).stat().st_size)  # the longest first


setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count() or 1}})
