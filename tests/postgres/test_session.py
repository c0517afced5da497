"""A session connects when it is needed, and anew after errors and restarts of the server."""

import errno
from collections.abc import Iterator
from contextlib import closing

import pytest
from postgres_server import PostgresServer

from switchboard.postgres.connection import Connection
from switchboard.postgres.session import Session
from switchboard.postgres.url import PostgresUrl
from switchboard.storage.unusable import RemoteError


@pytest.fixture
def session(postgres: PostgresServer) -> Iterator[Session]:
    with closing(Session(PostgresUrl.parse(postgres.url(postgres.database())))) as session:
        yield session


def pid_of(connection: Connection) -> int:
    [(pid,)] = connection.execute("SELECT pg_backend_pid()").fetchall()
    return int(pid)


def test_the_connection_is_kept(session: Session) -> None:
    assert session.run(pid_of) == session.run(pid_of)


def test_after_an_error_it_connects_anew(session: Session) -> None:
    before = session.run(pid_of)
    with pytest.raises(
        RemoteError, match=r"postgresql://switchboard:…@127.0.0.1:[0-9]+/board[0-9]+: .*nowhere"
    ):
        session.run(lambda connection: connection.execute("SELECT * FROM nowhere"))
    assert session.run(pid_of) != before


def test_a_restart_of_the_server_between_two_uses_is_no_error(
    postgres: PostgresServer, session: Session
) -> None:
    session.run(pid_of)
    postgres.kill()
    postgres.start()
    assert session.run(pid_of)


def test_a_connection_that_the_server_has_ended_is_no_error(
    postgres: PostgresServer, session: Session
) -> None:
    before = session.run(pid_of)
    postgres.do("SELECT pg_terminate_backend(%s, 20000)", before)
    assert session.run(pid_of) != before


def test_nobody_answers(postgres: PostgresServer, session: Session) -> None:
    postgres.kill()
    with pytest.raises(RemoteError, match="Connection refused") as raised:
        session.run(pid_of)
    assert raised.value.number == errno.ECONNREFUSED
