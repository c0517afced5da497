"""The compilation of a checkout: what is out of date, what stands in its way, and what is told of it meanwhile."""

import os
import sysconfig
from pathlib import Path

import pytest

import build_core
from build_core import CannotCompile, compile_core, is_current, remove_outdated
from switchboard import twins


@pytest.fixture
def native(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one module, compiled after its last change. Nothing runs in pure Python by order."""
    monkeypatch.delenv(twins.PURE, raising=False)
    monkeypatch.setattr("build_core.HERE", tmp_path)
    monkeypatch.setattr("build_core.NATIVE", tmp_path / "native")
    monkeypatch.setattr("build_core.LOG", tmp_path / "build" / "core.log")
    for module in (build_core, twins):
        monkeypatch.setattr(module, "BUILD", tmp_path / "build.txt")
    (tmp_path / "native").mkdir()
    for number, name in enumerate(("../setup.py", "wire.pyx", "part.pxi", compiled("wire"))):
        path = tmp_path / "native" / name
        path.touch()
        os.utime(path, (number, number))
    return tmp_path / "native"


def no_begin(about_s: float) -> None:
    raise AssertionError(f"it begins, and lasts {about_s:.0f} s")


def compiled(name: str) -> str:
    return f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"


def test_what_is_newer_than_its_sources_is_not_compiled_again(native: Path) -> None:
    assert is_current()
    remove_outdated()
    assert (native / compiled("wire")).exists()


@pytest.mark.parametrize("source", ["../setup.py", "wire.pyx", "part.pxi"])
def test_what_is_older_than_a_source_is_removed(native: Path, source: str) -> None:
    """It would be taken all the same, with what it was compiled of."""
    os.utime(native / source, (9, 9))
    assert not is_current()
    remove_outdated()
    assert not (native / compiled("wire")).exists()


def test_a_module_that_was_never_compiled_is_missing(native: Path) -> None:
    (native / "engine.pyx").touch()
    assert not is_current()


def test_without_a_compiler_the_reason_is_said_and_stays_to_be_read(
    native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(native / "cc -O2"))
    with pytest.raises(CannotCompile, match="there is no C compiler"):
        compile_core(no_begin)
    assert twins.why_pure() == f"not compiled: there is no C compiler ({native / 'cc'})"


def test_without_headers_the_reason_is_said(native: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "true")
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(native)})
    with pytest.raises(CannotCompile, match=r"Python\.h"):
        compile_core(no_begin)


def test_what_the_compiler_says_is_the_reason(native: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("build_core._build_requirements", lambda: ["pip"])
    begun: list[float] = []
    (native.parent / "setup.py").write_text("print('x.c:1: error: too old'); print('more')")
    with pytest.raises(CannotCompile, match=r"wire: x.c:1: error: too old \(build/core.log has more\)"):
        compile_core(begun.append)
    assert begun


def test_what_goes_on_is_told_while_it_goes_on(native: Path) -> None:
    del native
    assert twins.why_pure() == ""
    with build_core._told():
        assert twins.why_pure() == twins.COMPILING
    assert twins.why_pure() == ""


def test_who_was_killed_while_it_compiled_does_not_compile(native: Path) -> None:
    (native.parent / "build.txt").write_text(twins.BUILDING)
    assert twins.why_pure() == ""
