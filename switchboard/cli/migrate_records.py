"""`switchboard migrate` for records of calls: from files like cdr.jsonl into PostgreSQL, and back."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from switchboard.cli.output import MISUSED, fail, print_json, progress, say
from switchboard.cli.running import answers
from switchboard.journal.moving import Step, into_file, into_table
from switchboard.journal.shipper import UNREADABLE
from switchboard.journal.spool import PART_BYTES
from switchboard.postgres.url import PostgresUrl, is_postgres
from switchboard.settings.journal import name_of
from switchboard.settings.location import check_postgres
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.site import endpoints_of
from switchboard.storage.unusable import RemoteError

if TYPE_CHECKING:
    from switchboard.journal.postgres_ledger import PostgresLedger

PATIENCE_S = 600.0
"""For one answer: a database may have to sort all records first."""


def is_about_records(source: str, target: str) -> bool:
    """Whether one side is a database, and the other a file of records, perhaps a rotated one."""
    file = target if is_postgres(source) else source
    return is_postgres(source) != is_postgres(target) and ".jsonl" in Path(file).name


def move_records(settings: Settings, source: str, target: str, as_json: bool) -> None:
    """Copy what the target lacks, and say how much that was."""
    try:
        check_postgres("these records are")
        name = name_of(settings)
        url = PostgresUrl.parse(source if is_postgres(source) else target)
        with closing(_connected(url)) as ledger:
            if is_postgres(source):
                total = _export(settings, ledger, Path(target), name)
            else:
                total = _import(ledger, Path(source), name)
        _tell(total, as_json)
    except (SettingsError, ValueError) as error:
        fail(str(error), MISUSED)
    except RemoteError as error:
        fail(f"{url.shown} cannot be used: {error}. Run it again: nothing comes twice.")
    except UNREADABLE as error:
        fail(f"{target if is_postgres(source) else source}: {error}. Run it again: nothing comes twice.")


def _connected(url: PostgresUrl) -> "PostgresLedger":
    from switchboard.journal.postgres_ledger import PostgresLedger

    return PostgresLedger(url, PATIENCE_S)


def _import(ledger: "PostgresLedger", file: Path, name: str) -> Step:
    return _sum(into_table(file, name, ledger), file.stat().st_size // PART_BYTES + 1)


def _export(settings: Settings, ledger: "PostgresLedger", file: Path, name: str) -> Step:
    own = file.exists() and settings.cdr_path.exists() and file.samefile(settings.cdr_path)
    if own and answers(settings, endpoints_of(settings).ask("journal"), "stats"):
        fail(f"The journal writes to {file}: name another file, or stop the journal first.", MISUSED)
    return _sum(into_file(ledger, file, name), ledger.count() // ledger.rows_at_once + 1)


def _sum(steps: Iterator[Step], count: int) -> Step:
    total = Step(0, 0, 0, 0)
    with progress("Copying records", count) as step:
        for each in steps:
            total = Step(*map(sum, zip(total, each, strict=True)))
            step("")
    return total


def _tell(total: Step, as_json: bool) -> None:
    if as_json:
        print_json(total._asdict())
    there = total.read - total.added - total.damaged - total.refused
    say(f"Records copied: {total.added}. They were there already: {there}.")
    if total.damaged:
        say(f"Lines without a record, left out: {total.damaged}.")
    if total.refused:
        say(f"Records that the database cannot store, left out: {total.refused}.")
