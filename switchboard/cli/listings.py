"""`switchboard bindings`, `calls`, `cdr`: who is registered and where, the calls of now, and the records."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from switchboard.cli.output import (
    MISUSED,
    JsonOption,
    duration,
    fail,
    local_time,
    print_json,
    print_table,
    progress,
    say,
)
from switchboard.cli.running import ask_worker, call_with, context_or_exit, settings_or_exit
from switchboard.journal.file import parse_records, read_records
from switchboard.journal.record import CallDetailRecord, Party, write_csv
from switchboard.registrar.listing import Wanted, read_pages
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here

BINDING_HEADINGS = ("user", "contact", "q", "expires in", "source", "user agent")


LINES = 1000
UserOption = Annotated[str, typer.Option("--user", help="Of this user; 49* for all whose names begin so.")]
ContactOption = Annotated[str, typer.Option("--contact", help="Whose contact has this in it.")]
SourceOption = Annotated[
    str, typer.Option("--source", help="That came from this address, address and port, or network.")
]
AgentOption = Annotated[str, typer.Option("--agent", help="Of user agents that have this in their name.")]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=0, help=f"So many at most, 0 for all. Default: {LINES}, or all with --json."),
]


def bindings(
    user: UserOption = "",
    contact: ContactOption = "",
    source: SourceOption = "",
    agent: AgentOption = "",
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List bindings by user, as the registrar has them now."""
    wanted = Wanted("", user, contact, source, agent)
    found = _bindings(wanted)
    most = (0 if as_json else LINES) if limit is None else limit
    shown = found[:most] if most else found
    if as_json:
        print_json({"bindings": shown})
        return
    nothing = "Nobody is registered." if wanted == Wanted() else "No binding is like that."
    print_table(BINDING_HEADINGS, map(_binding_row, shown), nothing)
    if left := len(found) - len(shown):
        say(f"{left} more: --user, --contact, --source and --agent choose among them, --limit 0 shows all.")


def _bindings(wanted: Wanted) -> list[dict[str, Any]]:
    settings = settings_or_exit()
    with context_or_exit(settings) as context:
        server = endpoints_of(settings).ask("registrar")
        pages = read_pages(lambda body: call_with(context, settings, server, "location.list", body), wanted)
        users = sorted(pages)
    return [{"user": name, **each} for name, bound in users for each in bound]


def _binding_row(binding: dict[str, Any]) -> tuple[object, ...]:
    return (
        binding["user"],
        binding["contact_uri"],
        f"{binding['q']:g}",
        duration(binding["left_s"]),
        binding["source"],
        binding["user_agent"],
    )


CALL_HEADINGS = ("caller", "callee", "state", "started", "answered", "call-id")


def calls(as_json: JsonOption = False) -> None:
    """List the calls that ring or are up now."""
    found = ask_worker(settings_or_exit(), "journal", "call.list")
    if as_json:
        print_json({"calls": found})
    else:
        print_table(CALL_HEADINGS, map(_call_row, found), "There is no call now.")


def _call_row(call: dict[str, Any]) -> tuple[object, ...]:
    return (
        call["caller"],
        call["callee"],
        state(call),
        local_time(call["started_at"]),
        local_time(call["answered_at"]),
        call["call_id"],
    )


def state(call: Mapping[str, Any]) -> str:
    """`up`, `ringing` or `calling`; of a call that goes past the switchboard what follows from that."""
    if call["answered_at"]:
        return "up, its end may not be seen" if call.get("past_us") else "up"
    return "ringing" if call["ringing_at"] else "calling"


RECORD_HEADINGS = ("started", "caller", "callee", "outcome", "status", "duration", "ended by")
JOURNAL = "journal.0"
RECORDS_A_STEP = 1000
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")]


def cdr(as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """Print one record a call that has ended, the newest last."""
    if as_json and as_csv:
        fail("Choose one of --json and --csv.", MISUSED)
    settings = settings_or_exit()
    records = _with_bar(_records(settings), settings.cdr_path)
    if as_json:
        print_json({"records": [record.model_dump(mode="json") for record in records]})
    elif as_csv:
        write_csv(records, sys.stdout)
    else:
        print_table(RECORD_HEADINGS, map(_record_row, records), "No call has ended yet.")


def _with_bar(records: Iterator[CallDetailRecord], path: Path) -> Iterator[CallDetailRecord]:
    """The records; an export into a file takes seconds for 100,000 of them, and shows how far it is."""
    if sys.stdout.isatty() or not path.exists():
        yield from records
        return
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    with progress("Reading records", lines // RECORDS_A_STEP) as step:
        for number, record in enumerate(records, 1):
            yield record
            if number % RECORDS_A_STEP == 0:
                step("")


def _records(settings: Settings) -> Iterator[CallDetailRecord]:
    path = settings.cdr_path

    def tell(line: int) -> None:
        say(f"{path}, line {line}: no record, left out.")

    try:
        if is_here(JOURNAL, settings):
            yield from read_records(path, tell)
        else:
            yield from parse_records(_remote_lines(settings), tell)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")


def _remote_lines(settings: Settings) -> Iterator[bytes]:
    """The lines of the file on the journal's host."""
    position = 0
    while lines := ask_worker(settings, "journal", "record.read", position):
        yield from lines
        position += sum(map(len, lines))


def _record_row(record: CallDetailRecord) -> tuple[object, ...]:
    dumped = record.model_dump(mode="json")
    return (
        local_time(dumped["started_at"]),
        record.caller,
        record.callee,
        record.outcome.value,
        record.status,
        _lasted(record),
        record.ended_by.text,
    )


def _lasted(record: CallDetailRecord) -> str | None:
    if not record.answered_at:
        return None
    lasted = duration(record.duration_s)
    return f"at least {lasted}" if record.ended_by is Party.UNSEEN else lasted
