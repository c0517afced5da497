"""`switchboard cdr`: the call detail records."""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from switchboard.cdr.reader import read_records
from switchboard.cdr.record import CallDetailRecord, write_csv
from switchboard.cli.output import MISUSED, JsonOption, duration, fail, print_json, print_table, say
from switchboard.cli.running import settings_or_exit
from switchboard.cli.when import local_time
from switchboard.settings import Settings

HEADINGS = ("started", "caller", "callee", "outcome", "status", "duration", "ended by")
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")]


def cdr(as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """Print one record a call that has ended, the newest last."""
    if as_json and as_csv:
        fail("Choose one of --json and --csv.", MISUSED)
    records = _records(settings_or_exit())
    if as_json:
        print_json({"records": [record.model_dump(mode="json") for record in records]})
    elif as_csv:
        write_csv(records, sys.stdout)
    else:
        print_table(HEADINGS, map(_row, records), "No call has ended yet.")


def _records(settings: Settings) -> Iterator[CallDetailRecord]:
    path = settings.cdr_path
    try:
        yield from read_records(path, lambda line: say(f"{path}, line {line}: no record, left out."))
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")


def _row(record: CallDetailRecord) -> tuple[object, ...]:
    dumped = record.model_dump(mode="json")
    return (
        local_time(dumped["started_at"]),
        record.caller,
        record.callee,
        record.outcome.value,
        record.status,
        duration(record.duration_s) if record.answered_at else None,
        record.ended_by.value,
    )
