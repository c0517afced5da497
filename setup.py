"""The compiled core: every .pyx, and every .py with a .pxd beside it. Without it all runs in Python."""

import warnings
from pathlib import Path

from setuptools import Extension, setup

# Annotations are for mypy: compiled code takes whatever the Python twin takes.
DIRECTIVES = {"language_level": "3", "annotation_typing": False, "auto_pickle": False}


def sources() -> list[Path]:
    """What is compiled. A .pxd beside a .pyx declares it; one beside a .py says that this is compiled."""
    written = list(Path("switchboard").rglob("*.pyx"))
    declared = [path.with_suffix(".py") for path in Path("switchboard").rglob("*.pxd")]
    return sorted(written + [path for path in declared if path.exists()])


def extensions() -> list[Extension]:
    try:
        from Cython.Build import cythonize
    except ImportError:
        warnings.warn("Cython is missing: the switchboard will run in pure Python", stacklevel=1)
        return []
    modules = [
        Extension(
            ".".join(path.with_suffix("").parts),
            [str(path)],
            extra_compile_args=["-g0", "-O3" if path.suffix == ".pyx" else "-O2"],
        )
        for path in sources()
    ]
    compiled: list[Extension] = cythonize(modules, build_dir="build/cython", compiler_directives=DIRECTIVES)
    for module in compiled:
        module.optional = True  # cythonize forgets it if it is said before
    return compiled


setup(ext_modules=extensions())
