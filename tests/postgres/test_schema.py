"""The tables are made by whoever comes first, and only of our own revision or an earlier one."""

import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from postgres_server import PostgresServer

from switchboard.postgres import schema
from switchboard.postgres.connection import connect
from switchboard.postgres.schema import REVISION, LaterSchema, ensure, found_revision
from switchboard.postgres.url import PostgresUrl


def url_of(postgres: PostgresServer, options: str = "") -> PostgresUrl:
    return PostgresUrl.parse(postgres.url(postgres.database(), options))


def test_the_last_revision_is_the_one_that_is_named() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [REVISION]
    numbers = [each.revision for each in scripts.walk_revisions()]
    assert sorted(numbers, reverse=True) == numbers
    assert all(len(each) == 4 and each.isdigit() for each in numbers)


def test_two_who_come_first_make_them_once(postgres: PostgresServer) -> None:
    url, failures = url_of(postgres), []

    def start() -> None:
        try:
            with closing(connect(url)) as connection:
                ensure(connection, url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failures
    with closing(connect(url)) as connection:
        assert found_revision(connection) == REVISION
        ensure(connection, url)


def test_two_databases_at_once(postgres: PostgresServer) -> None:
    """As where registrations and users are in different ones."""
    urls, failures = [url_of(postgres) for _ in range(3)], []
    barrier = threading.Barrier(len(urls))

    def start(url: PostgresUrl) -> None:
        try:
            with closing(connect(url)) as connection:
                barrier.wait()
                ensure(connection, url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(url,)) for url in urls]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failures
    for url in urls:
        with closing(connect(url)) as connection:
            assert found_revision(connection) == REVISION


def test_two_switchboards_in_one_database_are_kept_apart(postgres: PostgresServer) -> None:
    one = url_of(postgres)
    other = PostgresUrl(one.parameters, "north", None, one.shown)
    for each in (one, other):
        with closing(connect(each)) as connection:
            ensure(connection, each)
    found = postgres.do(
        "SELECT schemaname FROM pg_tables WHERE tablename = 'alembic_version'",
        database=one.parameters["dbname"],
    )
    assert sorted(found) == [("north",), ("switchboard",)]


def test_a_later_schema_is_left_alone(postgres: PostgresServer) -> None:
    url = url_of(postgres)
    with closing(connect(url)) as connection:
        ensure(connection, url)
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
        with pytest.raises(LaterSchema, match="9000"):
            ensure(connection, url)


def test_tables_of_others_are_left_alone(postgres: PostgresServer) -> None:
    url = url_of(postgres)
    with closing(connect(url)) as connection:
        connection.execute("CREATE SCHEMA switchboard")
        connection.execute("CREATE TABLE users (name text)")
        with pytest.raises(psycopg.errors.DuplicateTable, match="users"):
            ensure(connection, url)
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000a')")
        with pytest.raises(LaterSchema, match="0000a"):
            ensure(connection, url)


def test_a_role_that_may_not_make_it(postgres: PostgresServer) -> None:
    url = url_of(postgres)
    postgres.do(f"ALTER DATABASE {url.parameters['dbname']} OWNER TO postgres")
    with closing(connect(url)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        ensure(connection, url)
