"""Reads the history for people's tools, where it is kept."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from switchboard import codec
from switchboard.history.seen import Seen, readable
from switchboard.history.store import SCHEMA, HistoryError, read_summaries
from switchboard.history.summary import Summary, SummaryKind
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components, host_of, is_here

AT_MOST = 100


class HistoryReader:
    """Opens the file anew for each question, read-only: the writer may come and go.

    Every method raises HistoryError with a text for people if there is no file, or it cannot be read, or is
    not on this host: then `elsewhere` tells where.
    """

    def __init__(self, path: Path, elsewhere: str = "") -> None:
        self._path = path
        self._elsewhere = elsewhere

    def recent(
        self,
        kind: SummaryKind | None = SummaryKind.CALL,
        *,
        user: str = "",
        outcomes: Sequence[str] = (),
        since_ns: int = 0,
        until_ns: int = 2**62,
        at_most: int = AT_MOST,
    ) -> list[Summary]:
        """What there is, the last begun first. `kind`: None for all. `user`: either side, unescaped."""
        terms, values = ["started_ns BETWEEN ? AND ?"], [since_ns, until_ns]
        asked: list[object] = [*values]
        if kind is not None:
            terms.append("kind = ?")
            asked.append(str(kind))
        if user:
            terms.append("? IN (caller_user, callee_user)")
            asked.append(user)
        if outcomes:
            terms.append(f"outcome IN ({', '.join('?' * len(outcomes))})")
            asked.extend(outcomes)
        return self._read(f"WHERE {' AND '.join(terms)} ORDER BY started_ns DESC LIMIT ?", [*asked, at_most])

    def summary(self, call_id: str) -> Summary | None:
        """What is known of one Call-ID; None if nothing is."""
        return next(iter(self._read("WHERE call_id = ?", [call_id])), None)

    def messages(self, call_id: str) -> list[Seen]:
        """The messages of a Call-ID, oldest first; [] if there are none."""
        return self.messages_of([call_id])[0]

    def messages_of(self, call_ids: Iterable[str]) -> list[list[Seen]]:
        """The same of each of them."""
        with closing(self._open()) as database, SCHEMA.explained(self._path):
            return [_messages_in(database, each) for each in call_ids]

    def _read(self, rest: str, values: Sequence[object]) -> list[Summary]:
        with closing(self._open()) as database, SCHEMA.explained(self._path):
            return read_summaries(database, rest, values)

    def _open(self) -> sqlite3.Connection:
        if self._elsewhere:
            raise HistoryError(self._elsewhere)
        database = SCHEMA.open_to_read(self._path)
        if database is None:
            raise HistoryError(
                f"There is no history at {self._path}: none was written yet, or the setting history is off."
            )
        return database


_PARCELS = (
    "SELECT packed FROM parcels JOIN calls ON calls.id = parcels.call WHERE call_id = ? ORDER BY parcels.id"
)


def _messages_in(database: sqlite3.Connection, call_id: str) -> list[Seen]:
    parcels = database.execute(_PARCELS, (readable(call_id),)).fetchall()
    rows = (row for (packed,) in parcels for row in codec.unpack(packed))
    return sorted(map(Seen.from_row, rows), key=lambda seen: seen.at_ns)


WORKER = "history.0"


def history_of(settings: Settings) -> HistoryReader:
    """A reader, which on another host than the history's tells where to ask."""
    return HistoryReader(settings.history_path, _elsewhere(settings))


def _elsewhere(settings: Settings) -> str:
    if not settings.hosts or not settings.history:
        return ""
    if Component.HISTORY not in components(settings):
        return "No host keeps a history: name history among the components of one (docs/HOSTS.md)."
    if is_here(WORKER, settings):
        return ""
    host = host_of(WORKER, settings)
    return (
        f"The history is kept on the host {host} ({settings.hosts[host].address}), and this is "
        f"{settings.here}: use `switchboard explain` and `ladder` there, or a console that runs there."
    )
