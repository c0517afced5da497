"""The call detail records of a running switchboard, read as they are written."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from system.harness import CallRecord


class Ledger:
    """The records of every call by Call-ID."""

    def __init__(self, path: Path) -> None:
        self.records: dict[str, list[CallRecord]] = defaultdict(list)
        self._path = path
        self._read = 0

    def has(self, call_ids: Iterable[str]) -> bool:
        """Whether each of these calls has left a record by now."""
        self.update()
        return all(call_id in self.records for call_id in call_ids)

    def update(self) -> None:
        """Read the lines that are new and complete."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._read += len(complete)
        for line in complete.splitlines():
            record: CallRecord = json.loads(line)
            self.records[record["call_id"]].append(record)
