"""Looks at the database with the users that switchboards share, if there is one."""

from collections.abc import Iterator
from contextlib import closing

from switchboard.doctor.facts import Finding, ok, problem
from switchboard.postgres.url import PostgresUrl
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.types import SQLITE
from switchboard.settings.users import check_users as check_programs
from switchboard.storage.unusable import RemoteError

CHECK = "users"


def check_users(settings: Settings) -> Iterator[Finding]:
    """Whether it can be used; its tables are made if there are none."""
    try:
        check_programs(settings)
    except SettingsError:
        return  # told with the settings
    if settings.users_store == SQLITE:
        return
    from switchboard.auth.postgres_users import PostgresUsers

    url = PostgresUrl.parse(settings.users_store)
    try:
        with closing(PostgresUsers(url)) as users:
            users.check()
    except RemoteError as error:
        remedy = (
            "passwords count as they were known last; docs/LOCATION.md says what the database has to be like"
        )
        yield problem(CHECK, f"{error}: users cannot be changed", remedy)
        return
    yield ok(CHECK, f"{url.shown} can be used")
