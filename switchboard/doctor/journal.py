"""Looks at the database into which records of calls are shipped, if there is one."""

from collections.abc import Iterator
from contextlib import closing

from switchboard.doctor.facts import Finding, ok, problem, warning
from switchboard.postgres.url import PostgresUrl
from switchboard.settings.journal import check_journal as check_programs
from switchboard.settings.journal import ledger_at
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.types import FILE
from switchboard.storage.unusable import RemoteError

CHECK = "journal"
MANY = 10_000
"""Records that wait although the database can be used."""


def check_journal(settings: Settings, waiting: int | None) -> Iterator[Finding]:
    """Whether it can be used; its tables are made if there are none. `waiting`: records, None if nobody knows."""
    try:
        check_programs(settings)
    except SettingsError:
        return  # told with the settings
    if settings.journal == FILE:
        return
    url = PostgresUrl.parse(settings.journal)
    wait = "" if waiting is None else f"; records that wait: {waiting:.0f}"
    try:
        with closing(ledger_at(url)) as ledger:
            ledger.check()
    except RemoteError as error:
        remedy = (
            "records are safe in cdr.jsonl, and go there by themselves; docs/JOURNAL.md has what it needs"
        )
        yield problem(CHECK, f"{url.shown} cannot be used: {error}{wait}", remedy)
        return
    if waiting and waiting > MANY:
        yield warning(CHECK, f"{url.shown} is behind{wait}", "it catches up by itself; ask again in a minute")
    else:
        yield ok(CHECK, f"{url.shown} can be used{wait}")
