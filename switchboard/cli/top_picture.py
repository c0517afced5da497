"""One picture of `switchboard top`, drawn for a terminal of any size from 80 x 24 on."""

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from switchboard.cli.listings import state
from switchboard.cli.output import duration
from switchboard.survey.reading import UP, Moment, WorkerLine

CALL_ROWS = 5
"""At least so many calls are shown, however many workers there are."""
_AROUND = 6
"""Lines that are neither workers nor calls: two of figures, two headings, an empty one, and the last."""
_WORKERS = (
    ("worker", "left"),
    ("state", "left"),
    ("up for", "right"),
    ("restarts", "right"),
    ("CPU %", "right"),
    ("MB", "right"),
    ("msg/s", "right"),
    ("waiting", "right"),
    ("lost", "right"),
)
_CALLS = (("caller", "left"), ("callee", "left"), ("state", "left"), ("for", "right"))
_STATE_STYLES = {UP: "green", "starting": "yellow", "down": "bold red"}


def draw(moment: Moment, place: str, at: float, height: int) -> RenderableType:
    """The picture, at most `height` lines high. `place`: whose it is; `at`: epoch seconds."""
    room = max(height - _AROUND, 0)
    calls = min(len(moment.calls), max(CALL_ROWS, room - len(moment.workers)))
    return Group(
        _first_line(moment, place, at),
        _second_line(moment),
        _worker_table(moment, room - calls),
        Text(""),
        _call_table(moment, calls, at) if moment.calls else Text("No call rings or is up."),
    )


def _first_line(moment: Moment, place: str, at: float) -> Text:
    clock = datetime.fromtimestamp(at).strftime("%H:%M:%S")
    health = ("all up", "green")
    if moment.not_up:
        health = (f"NOT UP: {', '.join(moment.not_up)}", "bold red")
    elif moment.cannot_write:
        health = (f"CANNOT WRITE: {', '.join(moment.cannot_write)}", "bold red")
    line = Text.assemble((f"Switchboard {place}", "bold"), f"   {clock}   ", health)
    line.truncate(79, overflow="ellipsis")
    return line


def _second_line(moment: Moment) -> Text:
    rates = moment.rates
    classes = [f"{name} {each:.1f}" for name, each in rates.responses_s.items() if each]
    parts = [
        f"{len(moment.calls)} calls, {rates.calls_s:.1f}/s",
        f"{moment.users} users on {moment.bindings} phones",
        f"in {rates.received_s:.0f}/s, out {rates.sent_s:.0f}/s",
        *([f"{' '.join(classes)}"] if classes else []),
    ]
    return Text("   ".join(parts))


def _worker_table(moment: Moment, rows: int) -> Table:
    table = _table(_WORKERS)
    for line in moment.workers[: max(rows, 1)]:
        table.add_row(*_worker_row(line))
    return table


def _worker_row(line: WorkerLine) -> list[str | Text]:
    reading, speed = line.reading, line.rates
    return [
        str(reading),
        Text(reading.state, _STATE_STYLES.get(reading.state, "")),
        duration(reading.uptime_s) if reading.state == UP else "",
        str(reading.restarts),
        _number(speed.cpu_percent),
        f"{reading.usage.memory_bytes / 1e6:.0f}" if reading.usage else "",
        _number(speed.messages_s),
        str(line.waiting),
        Text(str(line.lost), "bold red" if line.lost else ""),
    ]


def _call_table(moment: Moment, rows: int, at: float) -> Table:
    """The newest calls, the latest first."""
    table = _table(_CALLS)
    for call in list(reversed(moment.calls))[:rows]:
        since = call["answered_at"] or call["started_at"]
        table.add_row(_user(call["caller"]), _user(call["callee"]), state(call), _age(since, at))
    return table


def _table(columns: tuple[tuple[str, Any], ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in columns:
        table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis")
    return table


def _user(uri: str) -> Text:
    return Text(uri.removeprefix("sip:"))


def _age(instant: str, at: float) -> str:
    return duration(at - datetime.fromisoformat(instant).timestamp())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
