"""A line of cdr.jsonl as a row of a database: its identity, its values, and what of it a database can store.

Theory. A row's identity is the print of what the record says, and of the switchboard that says it. So the same line
makes the same row whenever, wherever and however often it is read: from a file that was moved, copied, restored or
exported. PostgreSQL stores every text but U+0000; so that is replaced before anything else is done.
"""

import hashlib
import json
import math
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from pydantic import ConfigDict, ValidationError

from switchboard.journal.record import CallDetailRecord, Timestamp

SWITCHBOARD: Final = "switchboard"
"""The key that an exported line bears besides those of a record."""
_FIRST_YEAR: Final = 1970
_NUL, _INSTEAD = "\0", "\ufffd"
_ESCAPED_NUL = rb"\u0000"
"""JSON has it in no other way."""
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class _FoundRecord(CallDetailRecord):
    """With the keys of a later version."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Row(NamedTuple):
    """One ended call. `more`: what else the line says, as a JSON object; None for nothing."""

    id: UUID
    switchboard: str
    """The name of the switchboard whose call it was."""
    call_id: str
    caller: str
    callee: str
    started_at: Timestamp
    ringing_at: Timestamp | None
    answered_at: Timestamp | None
    ended_at: Timestamp
    duration_s: float
    """To the millisecond."""
    outcome: str
    status: int
    ended_by: str
    more: str | None

    @classmethod
    def of(cls, line: bytes, switchboard: str) -> Self | None:
        """The row of a line; None if it holds no record. `switchboard`: whose it is if the line does not say."""
        try:
            record = _FoundRecord.model_validate_json(line)
        except ValidationError:
            return None
        if not _is_real(record):
            return None
        more: dict[str, Any] = dict(record.model_extra or {})
        if record.forwarded:
            more["forwarded"] = [asdict(each) for each in record.forwarded]
        if record.relayed:
            more["relayed"] = asdict(record.relayed)
        values: list[Any] = [getattr(record, name) for name in _FIELDS]
        if _ESCAPED_NUL in line:
            more, values = _storable(more), _storable(values)
        whose = str(more.pop(SWITCHBOARD, switchboard))
        values[_DURATION] = round(record.duration_s, 3)
        return cls._make([_identity(whose, values), whose, *values, _to_json(more) if more else None])

    def to_line(self) -> bytes:
        """The line of cdr.jsonl that makes this row, whoever reads it; newline included."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        more = json.loads(self.more) if self.more else {}
        return _to_json({**fields, SWITCHBOARD: self.switchboard, **more}).encode() + b"\n"


_FIELDS: Final = Row._fields[2:-1]
"""Those that the identity consists of, for ever: a field of a later version belongs to `more`."""
_DURATION: Final = _FIELDS.index("duration_s")
_INSTANTS: Final = tuple(name for name in _FIELDS if name.endswith("_at"))


def _identity(switchboard: str, values: list[Any]) -> UUID:
    """U+0000, which no text has, stands between them; the duration in milliseconds, "" for what is None."""
    milliseconds = round(values[_DURATION] * 1000)
    told = [switchboard, *values[:_DURATION], milliseconds, *values[_DURATION + 1 :]]
    octets = _NUL.join("" if each is None else str(each) for each in told).encode()
    return UUID(bytes=hashlib.sha256(octets).digest()[:16])


def _is_real(record: CallDetailRecord) -> bool:
    """Whether its instants are days of a calendar since 1970, and its duration is a number."""
    instants = [text for name in _INSTANTS if (text := getattr(record, name))]
    try:
        are_real = all(datetime.fromisoformat(text).year >= _FIRST_YEAR for text in instants)
    except ValueError:
        return False
    return are_real and math.isfinite(record.duration_s)


def _storable(value: Any) -> Any:
    """Without U+0000."""
    match value:
        case str():
            return value.replace(_NUL, _INSTEAD)
        case list():
            return [_storable(each) for each in value]
        case dict():
            return {_storable(key): _storable(each) for key, each in value.items()}
    return value
