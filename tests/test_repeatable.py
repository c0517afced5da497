"""Which failures `.ci/run` may try again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MARKED = "import pytest\npytestmark = pytest.mark.system\n"
FAILING = "def test_{}() -> None:\n    assert False\n"


def run(folder: Path, text: str, name: str = "test_these.py") -> list[str]:
    """What a run of these tests appends."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("import pytest\n" + text)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = system\n")
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parent)}
    named = folder / "named"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "repeatable", "-p", "no:cacheprovider"],
        cwd=folder,
        env=os.environ | environment | {"REPEATABLE": str(named)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return named.read_text().split("\n")[:-1] if named.exists() else []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("def test_a() -> None: pass\n", []),
        (MARKED + FAILING.format("a") + "def test_b() -> None: pass\n", ["a"]),
        (MARKED + "".join(map(FAILING.format, "abc")), ["a", "b", "c"]),
    ],
    ids=["none", "one", "the most"],
)
def test_few_failures_of_system_tests_in_a_whole_run(tmp_path: Path, text: str, named: list[str]) -> None:
    assert run(tmp_path, text) == [*(f"test_these.py::test_{name}" for name in named), "complete"]


@pytest.mark.parametrize(
    "text",
    [
        MARKED + "".join(map(FAILING.format, "abcd")),
        FAILING.format("fast") + "@pytest.mark.system\n" + FAILING.format("a"),
        MARKED + FAILING.format("a") + "def test_b() -> None: raise KeyboardInterrupt\n",
        "import of what is not there",
    ],
    ids=["too many", "a fast one", "interrupted", "not collected"],
)
def test_other_failures_stay_failures(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text) == []


@pytest.mark.parametrize(("folder", "may_be"), [("workers", True), ("core", False), ("", False)])
def test_fast_tests_that_wait_for_threads_and_sockets(tmp_path: Path, folder: str, may_be: bool) -> None:
    name = "/".join(filter(None, ("tests", folder, "test_these.py")))
    assert run(tmp_path, FAILING.format("a"), name) == ([f"{name}::test_a", "complete"] if may_be else [])


def test_runs_append(tmp_path: Path) -> None:
    run(tmp_path, MARKED + FAILING.format("a"))
    assert run(tmp_path, MARKED + FAILING.format("b"))[1:] == [
        "complete",
        "test_these.py::test_b",
        "complete",
    ]
