"""The tables' schema: made and brought up to date by alembic, under a lock, by whoever comes first.

Theory. Each revision in `migrations/versions` has a number of four digits, and follows the one before. What a database
has is in its table `alembic_version`. A program brings an earlier one up to its own; it leaves a later one alone.
Alembic (0.5 s) is loaded only when there is something to do.
"""

import threading
from pathlib import Path
from typing import Final

from psycopg import errors, sql

from switchboard.postgres.connection import Connection, connect
from switchboard.postgres.url import PostgresUrl

REVISION: Final = "0003"
"""The last one in `migrations/versions`."""
MIGRATING_S: Final = 600.0
WAIT_S: Final = 20.0
"""For somebody else who migrates; three quarters of it."""
_LOCK: Final = 0x5357_4244
"""Of the server's advisory locks: who migrates has it."""

_ONE_AT_A_TIME = threading.Lock()
"""Alembic's context belongs to the process."""


class LaterSchema(Exception):
    """The database is of a later program, or none of ours; the text is for people."""


def ensure(connection: Connection, url: PostgresUrl) -> None:
    """See that the tables are there, and of our revision. LaterSchema, psycopg.Error, OSError."""
    if _is_ready(connection):
        return
    with connect(url, WAIT_S) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # until it is closed
        if not _is_ready(other):
            _upgrade(url)


def found_revision(connection: Connection) -> str:
    """That of the database; "" for none."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return ""
    return str(row[0]) if row else ""


def _is_ready(connection: Connection) -> bool:
    found = found_revision(connection)
    if found > REVISION:
        raise LaterSchema(
            f"a later program has made its tables ({found}); this one knows revision {REVISION}"
        )
    return found == REVISION


def _upgrade(url: PostgresUrl) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine, exc, pool

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    engine = create_engine("postgresql+psycopg://", creator=lambda: _to_migrate(url), poolclass=pool.NullPool)
    try:
        with _ONE_AT_A_TIME, engine.begin() as connection:
            config.attributes.update(connection=connection, schema=url.schema)
            command.upgrade(config, "head")
    except exc.DBAPIError as error:
        raise error.orig or error from error
    except CommandError as error:
        raise LaterSchema(f"its tables are of no revision that this program knows: {error}") from error
    finally:
        engine.dispose()


def _to_migrate(url: PostgresUrl) -> Connection:
    connection = connect(url, MIGRATING_S)
    try:
        [exists] = connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (url.schema,)).fetchone() or [
            False
        ]
        if not exists:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(url.schema)))
    except BaseException:
        connection.close()
        raise
    connection.autocommit = False
    return connection
