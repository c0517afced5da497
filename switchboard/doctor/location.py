"""Looks at the location that registrars share, if there is one."""

import time
from collections.abc import Iterator
from contextlib import closing

from switchboard.doctor.facts import Finding, ok, problem, warning
from switchboard.registrar.remote import RemoteError
from switchboard.settings.location import location_of
from switchboard.settings.model import Settings, SettingsError
from switchboard.storage.server_url import shown_of

CHECK = "location"
GUIDE = "docs/LOCATION.md says what it has to be like"


def check_location(settings: Settings) -> Iterator[Finding]:
    """Whether it can be used, and how safe it is. A key is written to it that is gone after a second."""
    try:
        location = location_of(settings, time.time)
    except SettingsError:
        return  # told with the settings
    if location is None:
        return
    with closing(location.connect()) as remote:
        try:
            doubts = remote.doubts()
        except RemoteError as error:
            yield problem(CHECK, f"{error}: REGISTERs get 503", GUIDE)
            return
    for found, remedy in doubts:
        yield warning(CHECK, found, remedy)
    if not doubts:
        yield ok(CHECK, f"{shown_of(settings.location)} can be used")
