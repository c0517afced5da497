"""What `doctor` says of a database of call records."""

from postgres_server import PostgresServer
from redis_server import free_port

from switchboard.doctor.facts import Level
from switchboard.doctor.journal import MANY, check_journal
from switchboard.settings.model import Settings


def found_of(journal: str, waiting: int | None = None) -> list[tuple[Level, str]]:
    settings = Settings(domains=("switchboard.test",), journal=journal)
    return [(each.level, each.found) for each in check_journal(settings, waiting)]


def test_a_file_needs_no_look() -> None:
    assert found_of("file") == []


def test_a_server(postgres: PostgresServer) -> None:
    url = postgres.url(postgres.database())
    shown = f"postgresql://switchboard:…@127.0.0.1:{postgres.port}/board"
    [(level, found)] = found_of(url)
    assert level == Level.OK
    assert found.startswith(shown)
    assert found.endswith(" can be used")
    [(level, found)] = found_of(url, MANY + 1)
    assert level == Level.WARNING
    assert found.endswith(f" is behind; records that wait: {MANY + 1}")


def test_a_server_that_is_away() -> None:
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/calls"
    [(level, found)] = found_of(url, 7)
    assert level == Level.PROBLEM
    assert "cannot be used: Connection refused; records that wait: 7" in found
    assert "secret" not in found
