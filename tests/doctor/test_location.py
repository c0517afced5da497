"""What `doctor` says of a location on Redis or PostgreSQL."""

from pathlib import Path

from postgres_server import PostgresServer
from redis_server import redis_server

from switchboard.doctor.facts import Level
from switchboard.doctor.location import check_location
from switchboard.settings.model import Settings


def found_of(location: str) -> list[tuple[Level, str]]:
    settings = Settings(domains=("switchboard.test",), location=location)
    return [(each.level, each.found) for each in check_location(settings)]


def test_a_file_needs_no_look() -> None:
    assert found_of("sqlite") == []


def test_a_server(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", "--appendonly", "yes") as server:
        url = f"redis://user:secret@127.0.0.1:{server.port}"
        server.do("ACL", "SETUSER", "user", "on", ">secret", "~*", "+@all")
        assert found_of(url) == [(Level.OK, f"redis://user:…@127.0.0.1:{server.port} can be used")]
        server.do("CONFIG", "SET", "appendonly", "no")
        [(level, found)] = found_of(url)
        assert level == Level.WARNING
        assert "appendonly" in found
    [(level, found)] = found_of(url)
    assert level == Level.PROBLEM
    assert "Connection refused: REGISTERs get 503" in found
    assert "secret" not in found


def test_a_database(postgres: PostgresServer) -> None:
    database = postgres.database()
    [(level, found)] = found_of(postgres.url(database))
    assert level == Level.WARNING
    assert "fsync" in found
    [(level, found)] = found_of(postgres.url("nowhere"))
    assert level == Level.PROBLEM
    assert 'database "nowhere" does not exist: REGISTERs get 503' in found
