"""`switchboard migrate` for registrations and users, between files and real servers."""

import json
import time
from contextlib import closing
from pathlib import Path

from cli.conftest import Run
from postgres_server import PostgresServer
from redis_server import free_port, redis_server

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import make_entry
from switchboard.core.call_rules import UserRules
from switchboard.registrar.binding import Binding
from switchboard.registrar.rule_store import RuleStore
from switchboard.registrar.sqlite import SqliteStore, read_snapshot

LATER = float(round(time.time()) + 36_000)
ONE = Binding("sip:lukas@10.0.0.9", 1.0, LATER, call_id="call-1", cseq=1)
OTHER = Binding("sip:eva@10.0.0.8", 1.0, LATER - 600, call_id="call-2", cseq=1)


def write(path: Path, **users: Binding) -> None:
    with closing(SqliteStore(path)) as store, store.batch():
        for user, binding in users.items():
            store.put(user, [binding])


def read(path: Path) -> dict[str, tuple[str, int]]:
    """Contacts, and when they end, to the second."""
    return {
        user: (each.contact, round(each.expires_at))
        for user, bindings in read_snapshot(path)[1].items()
        for each in bindings
    }


def test_registrations_go_round_by_all_places(
    switchboard: Run, data_dir: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    write(data_dir / "location.db", lukas=ONE, eva=OTHER)
    one, other = (postgres.url(postgres.database()) for _ in range(2))
    with redis_server(tmp_path / "redis") as redis:
        places = [
            "location.db",
            one,
            redis.url,
            other + "?schema=north",
            redis.url + "/1",
            one + "?schema=b",
            "back.db",
        ]
        for source, target in zip(places, places[1:], strict=False):
            told = switchboard("migrate", "--from", source, "--to", target)
            assert told.stderr.startswith("Copied, registered users: 2. There already, or later there: 0.\n")
            again = json.loads(switchboard("migrate", "--from", source, "--to", target, "--json").stdout)
            assert again["location"] == {"read": 2, "copied": 0, "there": 2, "damaged": 0}
    found = read(data_dir / "back.db")
    assert found.keys() == {"lukas", "eva"}
    for user, binding in (("lukas", ONE), ("eva", OTHER)):
        contact, ends_at = found[user]
        assert contact == binding.contact
        assert abs(ends_at - binding.expires_at) <= 2


def test_users_go_into_a_database_and_back(
    switchboard: Run, data_dir: Path, postgres: PostgresServer
) -> None:
    one, other = (postgres.url(postgres.database()) for _ in range(2))
    with closing(UserStore(data_dir / "users.db")) as store:
        store.put([make_entry(each, "pbx", "secret") for each in ("lukas", "eva", "gone")], 1000.0)
        store.remove("gone", 2000.0)
        held = [each[1:] for each in store.users()]
    for source, target in (("users.db", one), (one, other), (other, "users.back.db")):
        told = switchboard("migrate", "--from", source, "--to", target)
        assert "Copied, users with passwords: 3. There already, or later there: 0.\n" in told.stderr
        again = json.loads(switchboard("migrate", "--from", source, "--to", target, "--json").stdout)
        assert again["users"] == {"read": 3, "copied": 0, "there": 3, "damaged": 0}
    with closing(UserStore(data_dir / "users.back.db")) as store:
        assert [each[1:] for each in store.users()] == held
        store.put([make_entry("lukas", "pbx", "new")], 3000.0)
    told = switchboard("migrate", "--from", "users.back.db", "--to", one)
    assert told.stderr == "Copied, users with passwords: 1. There already, or later there: 2.\n"


def test_what_is_wrong_is_said_in_words(switchboard: Run, data_dir: Path) -> None:
    write(data_dir / "location.db", lukas=ONE)
    (data_dir / "users.db").write_text("hello, " * 1000)
    away = f"postgresql://user:secret@127.0.0.1:{free_port()}/d"
    for source, target, status, words in (
        ("location.db", away, 1, "Connection refused. Run it again"),
        (away, "other.db", 1, "Connection refused. Run it again"),
        (
            "location.db",
            f"redis://user:secret@127.0.0.1:{free_port()}",
            1,
            "Connection refused. Run it again",
        ),
        ("nowhere.db", away, 2, "There is no file nowhere.db"),
        ("users.db", away, 1, "file is not a database"),
        ("users.db", "redis://user:secret@h", 2, "Nobody knows how to copy users.db to redis://user:…@h"),
        ("location.db", "location.db", 2, "Nobody knows how to copy"),
        ("location.db", "http://user:secret@h", 2, "http://user:…@h has none of the schemes"),
        (away, away + "?frob=1", 2, "unknown option frob"),
        (away, "cdr.db", 1, "Connection refused"),
    ):
        told = switchboard("migrate", "--from", source, "--to", target)
        assert (told.status, words in told.stderr) == (status, True), told.stderr
        assert "secret" not in told.stderr
        assert "Traceback" not in told.stderr


def test_rules_go_into_a_database_and_back(
    switchboard: Run, data_dir: Path, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.database())
    with closing(RuleStore(data_dir / "rules.db")) as store:
        store.put("lenka", UserRules(busy="lukas"), 1000.0)
        store.put("lukas", UserRules(dnd=True), 1000.0)
        store.put("lukas", None, 2000.0)
        held = [each[1:] for each in store.page(0, -1).records]
    for source, target in (("rules.db", url), (url, "rules.back.db")):
        told = switchboard("migrate", "--from", source, "--to", target)
        assert "Copied, rules of users and groups: 2. There already, or later there: 0.\n" in told.stderr
    with closing(RuleStore(data_dir / "rules.back.db")) as store:
        assert [each[1:] for each in store.page(0, -1).records] == held
