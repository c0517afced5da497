"""Which failures `.ci/run` may try again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MARKED = "import pytest\npytestmark = pytest.mark.system\n"
FAILING = "def test_{}() -> None:\n    assert False\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (MARKED + FAILING.format("a") + "def test_b() -> None: pass\n", ["a"]),
        (MARKED + "".join(map(FAILING.format, "abc")), ["a", "b", "c"]),
        (MARKED + "".join(map(FAILING.format, "abcd")), []),
        (FAILING.format("fast") + "@pytest.mark.system\n" + FAILING.format("a"), []),
        (MARKED + FAILING.format("a") + "def test_b() -> None: raise KeyboardInterrupt\n", []),
        ("import of what is not there", []),
    ],
    ids=["one", "the most", "too many", "a fast one", "interrupted", "not collected"],
)
def test_few_failures_of_system_tests_in_a_whole_run(tmp_path: Path, text: str, named: list[str]) -> None:
    (tmp_path / "test_these.py").write_text("import pytest\n" + text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = system\n")
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "repeatable", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | environment | {"REPEATABLE": str(tmp_path / "named")},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode
    found = (tmp_path / "named").read_text().split("\n")[:-1] if (tmp_path / "named").exists() else []
    assert found == [f"test_these.py::test_{name}" for name in named]
