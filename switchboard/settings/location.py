"""Where the settings have the bindings."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.shared import Location
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.types import SQLITE

MISSING = (
    "location is on Redis, which needs redis-py: install switchboard with its extra redis "
    "(pip install 'switchboard[redis]')"
)


def check_location(settings: Settings) -> None:
    """SettingsError if the program for the location is missing."""
    if settings.location != SQLITE and find_spec("redis") is None:
        raise SettingsError(MISSING, "redis-py is missing")


def load_location(settings: Settings) -> None:
    """Import what a shared location needs (0.1 s), if there is one."""
    if settings.location != SQLITE and find_spec("redis") is not None:
        import_module("switchboard.registrar.redis_location")


def location_of(settings: Settings, clock: Callable[[], float]) -> Location | None:
    """The shared location; None: there is only the file of this host. `clock`: epoch s by which lifetimes count here.

    SettingsError if the program for it is missing.
    """
    if settings.location == SQLITE:
        return None
    check_location(settings)
    from switchboard.registrar.redis_location import RedisLocation

    return RedisLocation(
        RedisUrl.parse(settings.location),
        clock,
        settings.location_password_file,
        settings.location_wait_replicas,
    )
