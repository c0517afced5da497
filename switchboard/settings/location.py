"""Where the settings have the bindings."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from switchboard.postgres.url import PostgresUrl, is_postgres
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.shared import Location
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.types import SQLITE

MISSING = (
    "location is on Redis, which needs redis-py: install switchboard with its extra redis "
    "(pip install 'switchboard[redis]')"
)
MISSING_FOR_POSTGRES = (
    "{} on PostgreSQL, which needs psycopg, SQLAlchemy and alembic: install switchboard with its extra postgres "
    "(pip install 'switchboard[postgres]')"
)


def check_location(settings: Settings) -> None:
    """SettingsError if a program that the location needs is missing."""
    if is_postgres(settings.location):
        check_postgres("location is")
    elif settings.location != SQLITE and find_spec("redis") is None:
        raise SettingsError(MISSING, "redis-py is missing")


def check_postgres(what: str) -> None:
    """SettingsError if `what`, as "users are", cannot be there since a program is missing. Imports psycopg (0.1 s)."""
    if not _has_psycopg() or find_spec("alembic") is None or find_spec("sqlalchemy") is None:
        raise SettingsError(MISSING_FOR_POSTGRES.format(what), "psycopg, alembic or sqlalchemy is missing")


def _has_psycopg() -> bool:
    """Also whether it has found libpq."""
    try:
        import_module("psycopg")
    except ImportError:
        return False
    return True


def load_location(settings: Settings) -> None:
    """Import what a shared location needs (0.1 s), if there is one."""
    if is_postgres(settings.location) and _has_psycopg():
        import_module("switchboard.registrar.postgres_location")
    elif settings.location != SQLITE and find_spec("redis") is not None:
        import_module("switchboard.registrar.redis_location")


def location_of(settings: Settings, clock: Callable[[], float]) -> Location | None:
    """The shared location; None: there is only the file of this host. `clock`: epoch s by which lifetimes count here.

    SettingsError if the program for it is missing.
    """
    if settings.location == SQLITE:
        return None
    check_location(settings)
    if is_postgres(settings.location):
        from switchboard.registrar.postgres_location import PostgresLocation

        return PostgresLocation(PostgresUrl.parse(settings.location, settings.location_password_file), clock)
    from switchboard.registrar.redis_location import RedisLocation

    return RedisLocation(
        RedisUrl.parse(settings.location),
        clock,
        settings.location_password_file,
        settings.location_wait_replicas,
    )
