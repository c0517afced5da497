"""Where the settings have the records of calls, besides cdr.jsonl."""

from switchboard.journal.ledger import Ledger
from switchboard.journal.naming import lasting_name
from switchboard.journal.shipper import Shipper
from switchboard.journal.shipping import Log, Shipping
from switchboard.journal.spool import Spool
from switchboard.postgres.url import PostgresUrl
from switchboard.settings.location import check_postgres
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.types import FILE


def check_journal(settings: Settings) -> None:
    """SettingsError if a program for the journal's database is missing."""
    if settings.journal != FILE:
        check_postgres("the journal is")


def shipping_of(settings: Settings) -> Shipping | None:
    """What ships the records; None: cdr.jsonl is all there is. SettingsError."""
    if settings.journal == FILE:
        return None
    check_journal(settings)
    name = name_of(settings)
    url = PostgresUrl.parse(settings.journal)

    def make(warn: Log) -> Shipper:
        return Shipper(Spool(settings.cdr_path), name, lambda: ledger_at(url), warn)

    return Shipping(make, url.shown)


def name_of(settings: Settings) -> str:
    """The name of this switchboard in a database of records. SettingsError."""
    path = settings.journal_name_path
    try:
        return lasting_name(path, settings.here)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}.", f"{path.name} is unreadable"
        ) from error


def ledger_at(url: PostgresUrl) -> Ledger:
    """A connection to the database. RemoteError."""
    from switchboard.journal.postgres_ledger import PostgresLedger

    return PostgresLedger(url)
