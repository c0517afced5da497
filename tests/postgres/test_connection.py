"""What a server does wrong, and what people read of it."""

import errno
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from postgres_server import PASSWORD, PostgresServer

from switchboard.postgres.connection import Connection, connect, explained
from switchboard.postgres.url import PostgresUrl


@pytest.fixture
def url(postgres: PostgresServer) -> PostgresUrl:
    return PostgresUrl.parse(postgres.url(postgres.database()))


@pytest.fixture
def connection(url: PostgresUrl) -> Iterator[Connection]:
    with closing(connect(url)) as connection:
        yield connection


def why_not(url: PostgresUrl) -> tuple[int, str]:
    with pytest.raises((psycopg.Error, OSError)) as raised:
        connect(url)
    return explained(raised.value)


def failing(connection: Connection, statement: str) -> tuple[int, str]:
    with pytest.raises((psycopg.Error, OSError)) as raised:
        connection.execute(statement.encode())
    return explained(raised.value)


def test_what_was_confirmed_is_on_disk_whatever_the_servers_default_is(
    postgres: PostgresServer, url: PostgresUrl
) -> None:
    postgres.do(f"ALTER DATABASE {url.parameters['dbname']} SET synchronous_commit = off")
    with closing(connect(url)) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


def test_a_slow_statement_is_ended(connection: Connection) -> None:
    assert failing(connection, "SELECT pg_sleep(60)") == (errno.ETIMEDOUT, "no answer within 2 s")


def test_a_server_that_hangs_is_given_up(postgres: PostgresServer, url: PostgresUrl) -> None:
    postgres.stop()
    try:
        assert why_not(url) == (errno.ETIMEDOUT, "no answer within 2 s")
    finally:
        postgres.go_on()


def test_a_server_that_was_killed(postgres: PostgresServer, url: PostgresUrl, connection: Connection) -> None:
    postgres.kill()
    failing(connection, "SELECT 1")
    assert connection.closed
    assert why_not(url) == (errno.ECONNREFUSED, "Connection refused")


def test_a_wrong_password_and_a_right_one_in_a_file(url: PostgresUrl, tmp_path: Path) -> None:
    wrong = PostgresUrl(url.parameters | {"password": "secret"}, url.schema, None, url.shown)
    assert why_not(wrong) == (errno.EACCES, "the user or the password is wrong")
    file = tmp_path / "password"
    by_file = PostgresUrl(wrong.parameters, url.schema, file, url.shown)
    assert why_not(by_file) == (errno.ENOENT, f"No such file or directory ({file})")
    file.write_text(PASSWORD + "\n")
    connect(by_file).close()


def test_another_database_and_what_is_read_only(postgres: PostgresServer, url: PostgresUrl) -> None:
    number, text = why_not(PostgresUrl(url.parameters | {"dbname": "nowhere"}, url.schema, None, url.shown))
    assert 'database "nowhere" does not exist' in text
    postgres.do(f"ALTER DATABASE {url.parameters['dbname']} SET default_transaction_read_only = on")
    with closing(connect(url)) as connection:
        assert failing(connection, "CREATE SCHEMA a")[0] == errno.EROFS
    assert why_not(
        PostgresUrl(url.parameters | {"target_session_attrs": "read-write"}, url.schema, None, url.shown)
    )[0] == (errno.EROFS)
