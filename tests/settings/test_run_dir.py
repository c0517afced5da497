"""Where the sockets are."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.settings.run_dir import NOWHERE, find_run_dir, make_run_dir

DEEP = "x" * 100


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """The directory of this login and the one of temporary files, as short as they are."""
    with tempfile.TemporaryDirectory(prefix="sb") as home:
        ours, temporary = Path(home, "xdg"), Path(home, "tmp")
        ours.mkdir(mode=0o700)
        temporary.mkdir()
        temporary.chmod(0o1777)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(ours))
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        yield ours, temporary


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A data directory whose path is too long for sockets."""
    path = tmp_path / DEEP
    path.mkdir(mode=0o700)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def elsewhere(code: str, data_dir: Path) -> str:
    """What another process says about the data directory."""
    done = subprocess.run(
        [sys.executable, "-c", f"from switchboard.settings.run_dir import *\n{code}", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


FIND = "import pathlib, sys; print(find_run_dir(pathlib.Path(sys.argv[1])))"
MAKE = FIND.replace("find", "make")


def test_a_short_one_is_in_the_data_directory_and_closed() -> None:
    with tempfile.TemporaryDirectory(prefix="sb") as home:
        data_dir = Path(home)
        assert make_run_dir(data_dir) == find_run_dir(data_dir) == data_dir / "run"
        (data_dir / "run").chmod(0o755)
        make_run_dir(data_dir)
        assert mode(data_dir / "run") == 0o700


def test_no_link_is_followed() -> None:
    with tempfile.TemporaryDirectory(prefix="sb") as home:
        (Path(home) / "elsewhere").mkdir()
        (Path(home) / "run").symlink_to("elsewhere")
        with pytest.raises(OSError, match="is a link"):
            make_run_dir(Path(home))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses() -> None:
    with tempfile.TemporaryDirectory(prefix="sb") as home:
        (Path(home) / "run").mkdir()
        os.chown(Path(home) / "run", 12345, -1)
        with pytest.raises(PermissionError, match="belongs to user 12345"):
            make_run_dir(Path(home))


def test_a_long_one_is_where_this_login_has_its_own(deep: Path, places: tuple[Path, Path]) -> None:
    assert find_run_dir(deep) == NOWHERE
    run_dir = make_run_dir(deep)
    assert run_dir.parent == places[0]
    assert mode(run_dir) == 0o700
    assert make_run_dir(deep) == find_run_dir(deep) == run_dir
    assert elsewhere(FIND, deep) == str(run_dir)
    assert len(str(run_dir / "translator.control")) <= 100


def test_else_among_the_temporary_files_under_a_name_that_nobody_foresees(
    deep: Path, places: tuple[Path, Path], tmp_path: Path
) -> None:
    places[0].chmod(0o777)
    other = tmp_path / ("y" * 100)
    found = {make_run_dir(deep), make_run_dir(other)}
    assert {each.parent for each in found} == {places[1]}
    assert len(found) == 2


def test_a_directory_of_temporary_files_that_others_may_rename_in_is_not_used(
    deep: Path, places: tuple[Path, Path]
) -> None:
    places[0].rmdir()
    places[1].chmod(0o777)
    with pytest.raises(OSError, match="short and safe: choose a data_dir"):
        make_run_dir(deep)


@pytest.mark.usefixtures("places")
def test_all_who_start_together_find_one(deep: Path) -> None:
    code = [sys.executable, "-c", f"from switchboard.settings.run_dir import *\n{MAKE}", str(deep)]
    starting = [subprocess.Popen(code, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert len({each.communicate()[0] for each in starting}) == 1


@pytest.mark.usefixtures("places")
def test_after_a_reboot_another_is_made_but_not_while_somebody_uses_it(deep: Path) -> None:
    code = f"import shutil\n{MAKE}\nshutil.rmtree(find_run_dir(pathlib.Path(sys.argv[1])))"
    first = elsewhere(code, deep)
    assert find_run_dir(deep) == NOWHERE
    second = make_run_dir(deep)
    assert str(second) != first
    second.rmdir()
    assert "is not to be seen here, though processes use it" in elsewhere(MAKE, deep)


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("what", ["open", "link", "file"])
def test_what_somebody_put_in_its_place_is_not_used(deep: Path, what: str) -> None:
    first = Path(elsewhere(MAKE, deep))
    if what == "open":
        first.chmod(0o755)
    else:
        first.rename(first.with_name("moved"))
        first.symlink_to("moved") if what == "link" else first.touch()
    assert find_run_dir(deep) == NOWHERE
    assert make_run_dir(deep) != first


@pytest.mark.usefixtures("places")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_only_who_runs_the_switchboard_says_where_it_is(deep: Path) -> None:
    run_dir = make_run_dir(deep)
    os.chown(deep / "run.at", 12345, -1)
    assert find_run_dir(deep) == NOWHERE, f"{run_dir} is not of that user"
    with pytest.raises(PermissionError, match="belongs to user 12345"):
        make_run_dir(deep)
