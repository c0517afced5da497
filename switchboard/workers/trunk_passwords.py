"""A router's trunks, with their passwords: read from their files when a provider asks, so a new one counts at once."""

from functools import partial

import structlog

from switchboard.core.trunks import Trunks
from switchboard.settings.model import Settings
from switchboard.settings.trunks import PasswordError, password_path, read_password


def make_trunks(settings: Settings, key: bytes) -> Trunks | None:
    """Return the trunks; None if there are none. `key`: the switchboard's."""
    trunks = settings.make_trunks()
    return Trunks(key, trunks, partial(_password_of, settings), settings.dialplan.normal) if trunks else None


def _password_of(settings: Settings, name: str) -> str:
    try:
        return read_password(password_path(settings.trunks_path, name, settings.trunks[name]), name)
    except PasswordError as error:
        structlog.get_logger().warning("trunk without a password", trunk=name, why=str(error))
        return ""
