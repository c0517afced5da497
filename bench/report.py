"""The kill matrix as people read it: on the terminal, and in docs/RELIABILITY.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from rich.table import Table

from bench.event import Event, annotate
from bench.expected import Flaw


def summary(event: Event) -> str:
    """One line about an event that has just happened."""
    what = "; ".join(event.blemishes) or "nothing lost"
    return f"{event.way:8} {event.target:12} {_away(event):>14}  {what}"


def table(events: Sequence[Event]) -> Table:
    """A row an event."""
    head, *rows = _rows(events)
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    return shown


def markdown(events: Sequence[Event]) -> str:
    """The same in Markdown."""
    head, *rows = _rows(events)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def markdown_beside(found: Mapping[str, Sequence[Event]]) -> str:
    """The same events for several transports beside each other, in short."""
    heads = (
        f"{name.upper()}: {what}" for name in found for what in ("calls", "connections", "registrations")
    )
    head = ["way", "who", *heads]
    rows = [
        [first.way, first.target, *_cells([first, *others])]
        for first, *others in zip(*found.values(), strict=True)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def write_section(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- end of NAME -->`; ValueError without these."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = page.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page} has no section {name!r}")
    page.write_text(f"{before}{begin}{text}\n{end}{after}")


def _rows(events: Sequence[Event]) -> list[list[str]]:
    phases = list(events[0].cells)
    head = ["way", "who", *phases, "other calls", "registrations", "records", "away, ms: median / longest"]
    return [head, *(_row(event) for event in events)]


def _row(event: Event) -> list[str]:
    flaws = event.records
    wrong = {what.name.lower(): flaws[what] for what in Flaw}
    return [
        event.way,
        event.target,
        *map(str, event.cells.values()),
        annotate(event.load.calls, {"failed": event.load.failed}),
        annotate(event.registrations, {"lost": event.registrations_lost}),
        annotate(_recorded(event), wrong),
        _away(event),
    ]


def _cells(events: Sequence[Event]) -> list[str]:
    """Three for each transport: all calls, parked and others, then connections and registrations."""
    texts = []
    for event in events:
        cells = event.cells.values()
        failed = event.load.failed + sum(cell.lost + cell.wrong for cell in cells)
        calls = event.load.calls + sum(cell.calls for cell in cells)
        records = {f"records {flaw.name.lower()}": number for flaw, number in event.records.items()}
        texts += [
            annotate(calls, {"failed": failed, **records}),
            annotate(event.connections, {"lost": event.connections_lost}),
            annotate(event.registrations, {"lost": event.registrations_lost}),
        ]
    return texts


def _recorded(event: Event) -> int:
    """Of how many calls there has to be a record."""
    return event.load.calls - event.load.failed + sum(cell.records for cell in event.cells.values())


def _away(event: Event) -> str:
    if not event.away_s:
        return "–"
    return f"{median(event.away_s) * 1000:.0f} / {max(event.away_s) * 1000:.0f}"
