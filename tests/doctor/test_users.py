"""What `doctor` says of users in a database."""

from postgres_server import PostgresServer

from switchboard.doctor.facts import Level
from switchboard.doctor.users import check_users
from switchboard.settings.model import Settings


def found_of(users_store: str) -> list[tuple[Level, str]]:
    return [(each.level, each.found) for each in check_users(Settings(users_store=users_store))]


def test_a_file_needs_no_look() -> None:
    assert found_of("sqlite") == []


def test_a_database(postgres: PostgresServer) -> None:
    [(level, found)] = found_of(postgres.url(postgres.database()))
    assert (level, found.endswith(" can be used")) == (Level.OK, True)
    [(level, found)] = found_of(postgres.url("nowhere"))
    assert level == Level.PROBLEM
    assert 'database "nowhere" does not exist: users cannot be changed' in found
