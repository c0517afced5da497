"""Where the settings have the records of calls, besides cdr.jsonl."""

from switchboard.journal.ledger import Ledger
from switchboard.journal.naming import lasting_name
from switchboard.journal.shipper import Shipper
from switchboard.journal.shipping import Log, Shipping
from switchboard.journal.spool import Spool
from switchboard.postgres.url import PostgresUrl
from switchboard.settings.location import check_postgres
from switchboard.settings.model import Settings
from switchboard.settings.types import FILE

def check_journal(settings: Settings) -> None:
    """SettingsError if a program for the journal's database is missing."""
    if settings.journal != FILE:
        check_postgres("the journal is")


def shipping_of(settings: Settings) -> Shipping | None:
    """What ships the records; None: cdr.jsonl is all there is. SettingsError; OSError if its name cannot be kept."""
    if settings.journal == FILE:
        return None
    check_journal(settings)
    name = lasting_name(settings.journal_name_path, settings.here)
    url = PostgresUrl.parse(settings.journal)

    def make(warn: Log) -> Shipper:
        return Shipper(Spool(settings.cdr_path), name, lambda: ledger_at(url), warn)

    return Shipping(make, url.shown)


def ledger_at(url: PostgresUrl) -> Ledger:
    """A connection to the database. LedgerError."""
    from switchboard.journal.postgres_ledger import PostgresLedger

    return PostgresLedger(url)
