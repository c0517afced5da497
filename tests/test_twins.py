"""The compiled modules and their Python twins: which ones run, in a fresh interpreter."""

import os
import platform
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from compiled import needs_compiled_core

from switchboard import twins

REFERENCE = re.compile(r'reference\("([\w.]+)", "(\w+)"\)|import_module\("([\w.]+)"\)')
PRINT = "from switchboard.sip import scan; from switchboard.edge import ingress; from switchboard.twins import core; "


def told(program: str, pure: str) -> str:
    """What an interpreter prints that runs `program` where the names of PRINT are known; SWITCHBOARD_PURE as given."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT + program],
        env={**os.environ, twins.PURE: pure},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_pure_python_is_forced() -> None:
    program = "print(core(), ingress.Ingress is ingress.IngressInPython, scan.scan is scan.scan_in_python)"
    assert told(program, pure="1") == "pure Python True True"


def test_no_module_is_compiled_where_python_is_forced() -> None:
    program = """import sys
from switchboard.workers import edge_rx
from switchboard.workers import edge_tx
from switchboard.workers import router
ours = [module for name, module in sys.modules.items() if name.startswith("switchboard.")]
print({module.__file__.rpartition(".")[2] for module in ours})"""
    assert told(program, pure="1") == "{'py'}"


@needs_compiled_core
@pytest.mark.parametrize("pure", ["", "0"])
def test_the_compiled_core_is_taken(pure: str) -> None:
    assert told("print(core(), ingress.Ingress is ingress.IngressInPython)", pure) == "compiled core False"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose compiled module is younger than its source."""
    native = tmp_path / "switchboard" / "_native"
    native.mkdir(parents=True)
    for age, name in enumerate(("wire.pyi", "wire.cpython-311.so", "part.pxi", "wire.pyx")):
        (native / name).touch()
        os.utime(native / name, (100 - age, 100 - age))
    (native / "wire.pyx").write_text('include "part.pxi"\n')
    os.utime(native / "wire.pyx", (90, 90))
    (tmp_path / "build_core.py").touch()
    monkeypatch.setattr(twins, "NATIVE", native)
    monkeypatch.setattr(twins, "CHECKOUT", tmp_path / "build_core.py")
    monkeypatch.setattr(twins, "BUILD", native / "build.txt")
    monkeypatch.delenv(twins.PURE, raising=False)
    return tmp_path


def test_what_is_compiled_counts_until_a_source_changes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path: list[object] = []
    monkeypatch.setattr(sys, "meta_path", path)
    twins.obey_environment()
    assert path == []
    (checkout / "switchboard" / "_native" / "of_another.pxi").touch()
    assert not twins.is_outdated()
    (checkout / "switchboard" / "_native" / "part.pxi").touch()
    twins.obey_environment()
    assert path == [twins.PythonOnly]
    assert twins.why_pure() == "what is compiled is older than its sources: make core"


def test_an_installation_has_no_order_of_files(checkout: Path) -> None:
    (checkout / "switchboard" / "_native" / "wire.pyx").touch()
    assert twins.is_outdated()
    (checkout / "build_core.py").unlink()
    assert not twins.is_outdated()


def test_a_missing_part_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "COMPILED", ("switchboard.sip.scan", "switchboard._native.none"))
    assert twins.core() == "compiled core without switchboard._native.none"
    monkeypatch.setattr(twins, "COMPILED", ("switchboard._native.none",))
    assert twins.core() == "pure Python"


def test_other_modules_are_found_as_ever() -> None:
    assert twins.PythonOnly.find_spec("switchboard") is None
    assert twins.PythonOnly.find_spec("json.decoder", ["anywhere"]) is None


def test_what_the_compiled_core_looks_up_when_it_is_needed_is_there() -> None:
    parts = [path.read_text() for path in Path(twins.__file__).with_name("_native").glob("*.pxi")]
    named = {match for text in parts for match in REFERENCE.findall(text)}
    assert len(named) > 10
    for module, name, alone in named:
        assert hasattr(import_module(module or alone), name or "__name__"), (module, name)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'"}, "PGO and LTO"),
        ({"CONFIG_ARGS": "'--with-lto'"}, "LTO"),
        (
            {"PGO_PROF_GEN_FLAG": "-fprofile-generate", "PGO_PROF_USE_FLAG": "-fprofile-use"},
            "neither PGO nor LTO",
        ),
        ({"PGO_PROF_GEN_FLAG": "-fprofile-generate", "PGO_PROF_USE_FLAG": ""}, "PGO"),
        ({}, "neither PGO nor LTO"),
    ],
)
def test_it_is_told_how_the_interpreter_was_built(
    monkeypatch: pytest.MonkeyPatch, built: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", built.get)
    assert twins.interpreter() == f"Python {platform.python_version()} built with {expected}"
