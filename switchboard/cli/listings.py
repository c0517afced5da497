"""`switchboard bindings`, `calls`, `cdr`: who is registered and where, the calls of now, and the records."""

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
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
from switchboard.cli.running import ask_worker, context_or_exit, registrar_with, settings_or_exit
from switchboard.journal.file import lines_from_end, parse_records, read_records
from switchboard.journal.record import CallDetailRecord, Outcome, Party, write_csv
from switchboard.journal.search import Matcher, find
from switchboard.journal.search import Wanted as WantedRecords
from switchboard.registrar.listing import Wanted, doubt_of, read_pages, transport_told, way_of
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings
from switchboard.settings.site import is_here
from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri, format_host_port
from switchboard.survey.reach import Reached, reach_of

BINDING_HEADINGS = ("user", "contact", "q", "expires in", "source", "transport", "user agent", "note")


LINES = 1000
UserOption = Annotated[str, typer.Option("--user", help="Of this user; 49* for all whose names begin so.")]
ContactOption = Annotated[str, typer.Option("--contact", help="Whose contact has this in it.")]
SourceOption = Annotated[
    str, typer.Option("--source", help="That came from this address, address and port, or network.")
]
AgentOption = Annotated[str, typer.Option("--agent", help="Of user agents that have this in their name.")]
TransportOption = Annotated[
    str, typer.Option("--transport", help="Over this transport: udp, tcp, tls, ws, wss.")
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=0, help=f"So many at most, 0 for all. Default: {LINES}, or all with --json."),
]


def bindings(
    user: UserOption = "",
    contact: ContactOption = "",
    source: SourceOption = "",
    agent: AgentOption = "",
    transport: TransportOption = "",
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List bindings by user, as the registrar has them now."""
    wanted = Wanted("", user, contact, source, agent, transport)
    found = _bindings(wanted)
    most = (0 if as_json else LINES) if limit is None else limit
    shown = found[:most] if most else found
    if as_json:
        print_json({"bindings": shown})
        return
    nothing = "Nobody is registered." if wanted == Wanted() else "No binding is like that."
    asked = ["answers"] if any(each["reach"] for each in shown) else []
    rows = [(*_binding_row(each), *([_answers(each)] if asked else [])) for each in shown]
    print_table((*BINDING_HEADINGS, *asked), rows, nothing)
    if left := len(found) - len(shown):
        options = "--user, --contact, --source, --agent and --transport"
        say(f"{left} more: {options} choose among them, --limit 0 shows all.")


def _bindings(wanted: Wanted) -> list[dict[str, Any]]:
    settings = settings_or_exit()
    with context_or_exit(settings) as context:
        pages = read_pages(lambda body: registrar_with(context, settings, "location.list", body), wanted)
        users = sorted(pages)
        known = reach_of(settings, context, (name for name, _ in users))
    return [
        {"user": name, **each, "reach": _reach_map(known.get((name, each["contact_uri"])))}
        for name, bound in users
        for each in bound
    ]


def _reach_map(reached: Reached | None) -> dict[str, Any] | None:
    return None if reached is None else {**reached._asdict(), "text": reached.text}


def _binding_row(binding: dict[str, Any]) -> tuple[object, ...]:
    transport, connection = way_of(binding)
    return (
        binding["user"],
        binding["contact_uri"],
        f"{binding['q']:g}",
        duration(binding["left_s"]),
        binding["source"],
        transport_told(transport, connection),
        binding["user_agent"],
        doubt_of(binding["contact_uri"], binding["source"], connection),
    )


def _answers(binding: dict[str, Any]) -> str:
    reach = binding["reach"]
    return str(reach["text"]) if reach else ""


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


RECORD_HEADINGS = ("started", "caller", "callee", "outcome", "status", "duration", "ended by", "call-id")
JOURNAL = "journal.0"
RECORDS_A_STEP = 1000
RECORDS = 20
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")]
CallerOption = Annotated[
    str,
    typer.Option("--user", help="Whose caller or callee has this in its address, or who was forwarded to."),
]
OutcomeOption = Annotated[Outcome | None, typer.Option("--outcome", help="That ended so.")]
SinceOption = Annotated[str, typer.Option("--since", metavar="DAY", help="That began on this day or later.")]
UntilOption = Annotated[str, typer.Option("--until", metavar="DAY", help="That began on this day or before.")]
CallIdOption = Annotated[str, typer.Option("--call-id", help="With this Call-ID.")]
RecordLimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", min=0, help=f"The last so many, 0 for all. Default: {RECORDS} at a terminal, else all."
    ),
]


def cdr(
    user: CallerOption = "",
    outcome: OutcomeOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    call_id: CallIdOption = "",
    limit: RecordLimitOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Print one record a call that has ended, the newest last."""
    if as_json and as_csv:
        fail("Choose one of --json and --csv.", MISUSED)
    settings = settings_or_exit()
    wanted = WantedRecords(user, outcome.value if outcome else "", since, until, call_id)
    is_table = not (as_json or as_csv)
    most = (RECORDS if is_table and sys.stdout.isatty() else 0) if limit is None else limit
    records = _chosen(settings, _matcher(wanted), most)
    if as_json:
        print_json({"records": [record.model_dump(mode="json") for record in records]})
    elif as_csv:
        write_csv(records, sys.stdout)
    else:
        nothing = "No call has ended yet." if wanted == WantedRecords() else "No call is like that."
        rows = list(map(_RecordRow(settings), records))
        print_table(RECORD_HEADINGS, rows, nothing)
        if limit is None and 0 < most == len(rows):
            say(
                f"The last {most}: --limit 0 shows all; --user, --outcome, --since and --until choose among them."
            )


def _matcher(wanted: WantedRecords) -> Matcher:
    try:
        return wanted.matcher()
    except ValueError as error:
        fail(f"{error}.", MISUSED)


def _chosen(settings: Settings, matcher: Matcher, most: int) -> Iterator[CallDetailRecord]:
    """The last `most` records that match (0: all), the newest last; the file is read from its end for few."""
    try:
        if most and is_here(JOURNAL, settings):
            found = find(lines_from_end(settings.cdr_path), matcher)
            yield from reversed(list(islice(found, most)))
            return
        records = filter(matcher.matches, _with_bar(_records(settings), settings.cdr_path))
        yield from deque(records, most) if most else records
    except OSError as error:
        fail(f"{settings.cdr_path} cannot be read: {error.strerror}.")


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

    if is_here(JOURNAL, settings):
        yield from read_records(path, tell)
    else:
        yield from parse_records(_remote_lines(settings), tell)


def _remote_lines(settings: Settings) -> Iterator[bytes]:
    """The lines of the file on the journal's host."""
    position = 0
    while lines := ask_worker(settings, "journal", "record.read", position):
        yield from lines
        position += sum(map(len, lines))


class _RecordRow:
    """Makes rows: of our users the names, at a terminal of today the time only."""

    def __init__(self, settings: Settings) -> None:
        self._owns = own_domains(settings).owns
        self._today = f"{date.today()} " if sys.stdout.isatty() else "never"

    def __call__(self, record: CallDetailRecord) -> tuple[object, ...]:
        return (
            (local_time(record.started_at) or "").removeprefix(self._today),
            self._short(record.caller),
            " → ".join([self._short(record.callee), *(each.to for each in record.forwarded)]),
            ", ".join(filter(None, (record.outcome.value, record.voice_flaw))),
            record.status,
            _lasted(record),
            record.ended_by.text,
            record.call_id,
        )

    def _short(self, text: str) -> str:
        try:
            uri = SipUri.parse(text)
        except ParseError:
            return text
        if uri.username and self._owns(uri):
            return uri.username
        return f"{uri.username}@{format_host_port(uri)}" if uri.username else format_host_port(uri)


def _lasted(record: CallDetailRecord) -> str | None:
    if not record.answered_at:
        return None
    lasted = duration(record.duration_s)
    return f"at least {lasted}" if record.ended_by is Party.UNSEEN else lasted
