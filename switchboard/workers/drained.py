"""A router that an operator has drained: it takes no new calls, finishes its own, and may be stopped then."""

from pathlib import Path
from typing import Final

from switchboard.core.transaction_log import BASE
from switchboard.storage.unusable import NotWritten
from switchboard.wal.router_log import RouterLog

FILE: Final = "drained"
"""In the router's directory, as long as it is."""


class Drained:
    """Whether the router with this `log` in `directory` is drained. A file says it, for its successor."""

    def __init__(self, log: RouterLog, directory: Path) -> None:
        self._log = log
        self._path = directory / FILE
        self.is_set = self._path.exists()

    def set(self, wanted: bool) -> None:
        """From now on. NotWritten if the file cannot be made or removed; then nothing changes."""
        try:
            if wanted:
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise NotWritten(f"{self._path}: {error.strerror}") from error
        self.is_set = wanted

    def note(self) -> str:
        """For people."""
        if not self.is_set:
            return "takes new calls"
        transactions = sum(key[:1] == BASE for key in self._log.keyed)
        waiting = self._log.events.waiting
        end = "" if transactions or waiting else "; it may be stopped"
        return f"drained: {transactions} transactions, {waiting} events for the journal to go{end}"
