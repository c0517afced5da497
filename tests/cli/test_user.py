"""`switchboard user`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Run

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import make_entry
from switchboard.cli import registrar

Answering = Callable[[str, str, Any], list[Any]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "ANSWER_S", 0.2)


def kept(data_dir: Path) -> dict[str, str]:
    return {each.user: each.md5 for each in UserStore(data_dir / "users.db").users()}


def test_without_a_registrar_the_store_is_written(switchboard: Run, data_dir: Path) -> None:
    done = switchboard("user", "add", "lukas", "--generate")
    password = done.stdout.strip()
    assert (done.status, len(password)) == (0, 20)
    assert kept(data_dir) == {"lukas": make_entry("lukas", "switchboard", password).md5}
    assert 'set auth = "on"' in done.stderr
    assert switchboard("user", "add", "lukas", "--generate").status == 1
    listed = json.loads(switchboard("user", "list", "--json").stdout)["users"]
    assert [(each["user"], each["realm"]) for each in listed] == [("lukas", "switchboard")]


def test_a_password_is_replaced_and_a_user_removed(switchboard: Run, data_dir: Path) -> None:
    switchboard("user", "add", "lukas", "--generate")
    before = kept(data_dir)
    assert switchboard("user", "passwd", "lukas", "--generate").status == 0
    assert kept(data_dir) != before
    assert switchboard("user", "remove", "lukas").status == 0
    assert kept(data_dir) == {}
    switchboard("forward", "lukas", "--busy", "lenka")
    for command in ("passwd", "remove"):
        assert "There is no user lukas" in switchboard("user", command, "lukas").stderr
    assert "lenka" in switchboard("forward", "lukas").stdout


def test_a_running_registrar_is_asked(switchboard: Run, answering: Answering, data_dir: Path) -> None:
    answering("registrar.0.ask", "user.list", [["lenka", "switchboard", 1.7e9]])
    asked = answering("registrar.0.ask", "user.put", 1)
    done = switchboard("user", "add", "lukas", "--generate", AUTH="on")
    entry = make_entry("lukas", "switchboard", done.stdout.strip())
    assert asked == [None, [list(entry)]]
    assert done.stderr == "lukas may register and call.\n"
    assert "lenka" in switchboard("user", "list").stdout
    assert not (data_dir / "users.db").exists()


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a:b", "a@b", "<a>", "a" * 65, "a\n"])
def test_names_that_cannot_be(switchboard: Run, name: str) -> None:
    done = switchboard("user", "add", name, "--generate")
    assert (done.status, done.stdout) == (2, "")
    assert "cannot be a user" in done.stderr


def test_import(switchboard: Run, data_dir: Path) -> None:
    file = data_dir / "phones.csv"
    file.write_text('user,password\nlukas,"a, long secret"\n\nlenka,another secret\n')
    done = switchboard("user", "import", str(file))
    assert (done.status, "2 users added, 0 got another password." in done.stderr) == (0, True)
    assert kept(data_dir)["lukas"] == make_entry("lukas", "switchboard", "a, long secret").md5


@pytest.mark.parametrize("line", ["lukas", "lukas,", "lukas,a,b", "lu kas,secret"])
def test_a_bad_line_imports_nothing(switchboard: Run, data_dir: Path, line: str) -> None:
    file = data_dir / "phones.csv"
    file.write_text(f"lenka,a long secret\n{line}\n")
    assert switchboard("user", "import", str(file)).status == 2
    assert not (data_dir / "users.db").exists()


def test_changes_as_json(switchboard: Run, data_dir: Path) -> None:
    file = data_dir / "phones.csv"
    file.write_text("eva,a long secret\n")
    made = json.loads(switchboard("user", "add", "lukas", "--generate", "--json").stdout)
    assert made["user"] == "lukas"
    assert kept(data_dir)["lukas"] == make_entry("lukas", "switchboard", made["password"]).md5
    imported = switchboard("user", "import", str(file), "--json").stdout
    assert json.loads(imported) == {"added": 1, "changed": 0}
    assert json.loads(switchboard("user", "remove", "eva", "--json").stdout) == {"removed": "eva"}
