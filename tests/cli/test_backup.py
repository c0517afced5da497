"""`switchboard backup` and `restore` while nothing runs; tests/system has them while it runs."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import Run
from storage.damage import flip

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import make_entry
from switchboard.cli import running
from switchboard.console.names import DisplayNames
from switchboard.journal.state import StateStore
from switchboard.presence.core import RESTORED
from switchboard.presence.store import PresenceStore
from switchboard.registrar.binding import Binding
from switchboard.registrar.sqlite import AFTER_A_LOSS, SqliteStore, read_snapshot
from switchboard.storage.restoring import MARK, waiting

HERE, THERE = Binding("sip:lukas@10.0.0.9", 1.0, 9e9), Binding("sip:lukas@10.0.0.8", 1.0, 9e9)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AT_ONCE_S", 0.1)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def full(data_dir: Path) -> Path:
    """A data directory with something of all kinds."""
    bind(data_dir, HERE)
    with closing(UserStore(data_dir / "users.db")) as users:
        users.put([make_entry("lukas", "r", "secret")], 1.0)
    with closing(StateStore(data_dir / "journal.db")):
        (data_dir / "cdr.jsonl").write_bytes(b'{"call_id": "1"}\n{"torn')
    (data_dir / "auth.key").write_bytes(b"k" * 32)
    DisplayNames(data_dir / "console.names").put("lukas", "Lukáš")
    (data_dir / "keys").mkdir()
    (data_dir / "keys" / "alpha.key_secret").write_text("secret")
    (data_dir / "tls").mkdir()
    (data_dir / "tls" / "ca.key").write_text("secret")
    (data_dir / "trunks").mkdir()
    keep_password(data_dir, "one", "geheim")
    (data_dir / "trunks" / "one.json").write_text("{}")
    return data_dir


def keep_password(data_dir: Path, trunk: str, password: str) -> None:
    path = data_dir / "trunks" / f"{trunk}.password"
    path.write_text(f"{password}\n")
    path.chmod(0o600)


def bind(data_dir: Path, binding: Binding) -> None:
    with closing(SqliteStore(data_dir / "location.db")) as store, store.batch():
        store.put("lukas", [binding])


def users(data_dir: Path) -> list[str]:
    with closing(UserStore(data_dir / "users.db")) as store:
        return [each.user for each in store.users()]


def test_all_comes_back(switchboard: Run, full: Path, target: Path) -> None:
    done = switchboard("backup", str(target), "--json")
    assert done.status == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert set(files) == {
        "location.db",
        "users.db",
        "journal.db",
        "cdr.jsonl",
        "console.names",
        "auth.key",
        "keys/alpha.key_secret",
        "tls/ca.key",
        "trunks/one.password",
    }
    assert target.stat().st_mode & 0o777 == 0o700
    assert all((target / name).stat().st_mode & 0o077 == 0 for name in files)
    bind(full, THERE)
    with closing(UserStore(full / "users.db")) as store:
        before = store.state()[0]
        store.remove("lukas", 2.0)
    (full / "auth.key").write_bytes(b"x" * 32)
    DisplayNames(full / "console.names").put("lukas", "")
    keep_password(full, "one", "another")
    done = switchboard("restore", str(target))
    assert done.status == 0, done.stderr
    with closing(SqliteStore(full / "location.db")) as store:
        assert store.bindings("lukas") == [HERE]
        assert store.number > AFTER_A_LOSS
    assert users(full) == ["lukas"]
    with closing(UserStore(full / "users.db")) as store:
        assert store.state()[0] != before
    assert (full / "cdr.jsonl").read_bytes() == b'{"call_id": "1"}\n'
    assert (full / "auth.key").read_bytes() == b"k" * 32
    assert DisplayNames(full / "console.names").get("lukas") == "Lukáš"
    [kept] = full.glob(f"location.db{MARK}*[0-9Z]")
    assert read_snapshot(kept)[1] == {"lukas": [THERE]}
    assert f"what was there is kept as {kept.name}" in done.stderr
    assert "restart --all" in done.stderr
    password = full / "trunks" / "one.password"
    assert (password.read_text(), password.stat().st_mode & 0o777) == ("geheim\n", 0o600)
    [former] = (full / "trunks").glob("one.password.before-restore-*")
    assert (former.read_text(), former.stat().st_mode & 0o777) == ("another\n", 0o600)
    assert "trunk password one.password: put in place; the one before is kept" in done.stderr
    assert "geheim" not in done.stderr


def test_a_part_comes_back_alone(switchboard: Run, full: Path, target: Path) -> None:
    switchboard("backup", str(target))
    bind(full, THERE)
    with closing(UserStore(full / "users.db")) as store:
        store.remove("lukas", 2.0)
    done = switchboard("restore", str(target), "users", "--json")
    assert json.loads(done.stdout)["parts"] == ["users"]
    assert users(full) == ["lukas"]
    assert read_snapshot(full / "location.db")[1] == {"lukas": [THERE]}


@pytest.mark.usefixtures("full")
def test_a_backup_is_restored_where_there_was_nothing(switchboard: Run, target: Path, tmp_path: Path) -> None:
    switchboard("backup", str(target))
    other = tmp_path / "other"
    done = switchboard("restore", str(target), DATA_DIR=str(other))
    assert done.status == 0, done.stderr
    assert read_snapshot(other / "location.db")[1] == {"lukas": [HERE]}
    assert users(other) == ["lukas"]
    assert (other / "keys" / "alpha.key_secret").read_text() == "secret"
    assert (other / "tls" / "ca.key").read_text() == "secret"
    assert (other / "trunks" / "one.password").read_text() == "geheim\n"
    assert (other / "trunks").stat().st_mode & 0o777 == 0o700


def test_what_is_no_backup_is_refused(switchboard: Run, full: Path, target: Path) -> None:
    target.mkdir()
    for content in ("", "{}", "[]", '{"backup_of": "switchboard", "files": 1}'):
        (target / "manifest.json").write_text(content)
        done = switchboard("restore", str(target))
        assert (done.status, "is no backup" in done.stderr) == (1, True)
    assert read_snapshot(full / "location.db")[1] == {"lukas": [HERE]}


@pytest.mark.parametrize("file", ["location.db", "users.db", "cdr.jsonl", "auth.key"])
def test_a_backup_that_is_damaged_changes_nothing(
    switchboard: Run, full: Path, target: Path, file: str
) -> None:
    switchboard("backup", str(target))
    bind(full, THERE)
    flip(target / file, 3)
    done = switchboard("restore", str(target))
    assert (done.status, f"{file} is of no use" in done.stderr) == (1, True)
    assert read_snapshot(full / "location.db")[1] == {"lukas": [THERE]}
    assert not waiting(full / "location.db").exists()


def test_a_name_that_leads_elsewhere_is_refused(switchboard: Run, full: Path, target: Path) -> None:
    switchboard("backup", str(target))
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["files"]["keys/../../evil"] = manifest["files"].pop("auth.key")
    (target.parent / "evil").write_bytes(b"k" * 32)
    (target / "manifest.json").write_text(json.dumps(manifest))
    done = switchboard("restore", str(target))
    assert (done.status, "is no key" in done.stderr) == (1, True)
    assert not waiting(full / "location.db").exists()


def test_a_restore_that_fails_halfway_leaves_nothing_that_waits(
    switchboard: Run, full: Path, target: Path
) -> None:
    """Else the registrar would take it over whenever it begins anew."""
    switchboard("backup", str(target))
    bind(full, THERE)
    obstacle = full / "restore" / "users.db.part"
    obstacle.mkdir(parents=True)
    done = switchboard("restore", str(target))
    assert (done.status, "Not all could be made ready" in done.stderr) == (1, True)
    assert list((full / "restore").iterdir()) == [obstacle]
    assert read_snapshot(full / "location.db")[1] == {"lukas": [THERE]}


def test_a_backup_that_fails_leaves_nothing_and_can_be_made_again(
    switchboard: Run, full: Path, target: Path
) -> None:
    users_db = (full / "users.db").read_bytes()
    (full / "users.db").write_bytes(b"rubbish" * 1000)
    assert switchboard("backup", str(target)).status == 1
    assert list(target.iterdir()) == []
    (full / "users.db").write_bytes(users_db)
    assert switchboard("backup", str(target)).status == 0


@pytest.mark.usefixtures("full")
def test_an_unknown_part(switchboard: Run, target: Path) -> None:
    switchboard("backup", str(target))
    done = switchboard("restore", str(target), "history")
    assert done.status == 2
    assert "There are: bindings, users, journal, names, trunks, keys" in done.stderr


def test_presence_comes_back_and_says_so(switchboard: Run, data_dir: Path, target: Path) -> None:
    """The worker has to know that phones have heard more since."""
    with closing(PresenceStore(data_dir / "presence.db")) as store:
        store.write({"s1": b"a", "p1": b"b"})
    switchboard("backup", str(target), PRESENCE="on")
    with closing(PresenceStore(data_dir / "presence.db")) as store:
        store.write({"s1": None, "s2": b"c"})
    done = switchboard("restore", str(target), "presence", PRESENCE="on")
    assert done.status == 0, done.stderr
    with closing(PresenceStore(data_dir / "presence.db")) as store:
        assert dict(store.read()) == {"p1": b"b", RESTORED: b"", "s1": b"a"}


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("name", ["trunks/../../evil.password", "trunks/evil", "evil.password"])
def test_a_password_that_leads_elsewhere_is_refused(switchboard: Run, target: Path, name: str) -> None:
    switchboard("backup", str(target))
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["files"][name] = manifest["files"].pop("trunks/one.password")
    (target / name).write_text("geheim\n")
    (target / "manifest.json").write_text(json.dumps(manifest))
    done = switchboard("restore", str(target), "trunks")
    assert (done.status, "is no password of a trunk" in done.stderr) == (1, True)


@pytest.mark.usefixtures("full")
def test_a_directory_that_is_not_empty_is_left_alone(switchboard: Run, target: Path) -> None:
    target.mkdir()
    (target / "mine").touch()
    assert switchboard("backup", str(target)).status == 2
    assert [each.name for each in target.iterdir()] == ["mine"]
