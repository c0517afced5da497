from pathlib import Path

import pytest

from switchboard.postgres.url import PostgresUrl, is_postgres
from switchboard.storage.server_url import shown_of


def test_all_that_can_be_said() -> None:
    url = PostgresUrl.parse(
        "postgresql://sb:p%40ss%2F@db.example.com:6432/calls?sslmode=verify-full&schema=north"
    )
    assert url.parameters == {
        "user": "sb",
        "password": "p@ss/",
        "host": "db.example.com",
        "port": "6432",
        "dbname": "calls",
        "sslmode": "verify-full",
    }
    assert (url.schema, url.password_file) == ("north", None)
    assert url.shown == "postgresql://sb:…@db.example.com:6432/calls"


def test_what_is_left_out_is_for_libpq_to_find() -> None:
    url = PostgresUrl.parse("postgres://")
    assert (url.parameters, url.schema) == ({}, "switchboard")
    assert PostgresUrl.parse("postgresql://[2001:db8::1]").parameters == {
        "host": "2001:db8::1",
        "port": "5432",
    }
    assert PostgresUrl.parse("postgresql:///calls?host=/run/postgresql").parameters == {
        "host": "/run/postgresql",
        "dbname": "calls",
    }


def test_of_several_hosts_the_one_that_can_be_written() -> None:
    found = PostgresUrl.parse("postgresql://one,two:5433/calls").parameters
    assert (found["host"], found["port"]) == ("one,two", "5432,5433")
    assert found["target_session_attrs"] == "read-write"


def test_a_file_has_the_password() -> None:
    named = PostgresUrl.parse("postgresql://sb@db/calls?password_file=/etc/a", Path("/etc/b"))
    assert named.password_file == Path("/etc/a")
    assert PostgresUrl.parse("postgresql://sb@db/calls", Path("/etc/b")).password_file == Path("/etc/b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mysql://host", "does not begin"),
        ("postgresql:host", "does not begin"),
        ("postgresql://u:secret@host:x/d", "no host with a port"),
        ("postgresql://u:secret@host:99999/d", "no host with a port"),
        ("postgresql://u:secret@[::1/d", "no address"),
        ("postgresql://u:secret@a,,b/d", "no host"),
        ("postgresql://u:secret@host/a/b", "at most the name"),
        ("postgresql://u:secret@host/d?options=-cfsync", "unknown option options"),
        ("postgresql://u:secret@host/d?schema=a;b", "schema has"),
        ("postgresql://u:secret@host/d?schema=pg_temp", "schema has"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        PostgresUrl.parse(text)
    assert "secret" not in str(raised.value)


def test_which_settings_mean_postgresql() -> None:
    assert is_postgres("postgresql://")
    assert is_postgres("POSTGRES://host")
    assert not is_postgres("postgresql")
    assert not is_postgres("redis://postgresql")
    assert shown_of("nonsense") == "nonsense"
