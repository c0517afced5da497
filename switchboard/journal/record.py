"""The call detail record: what the journal keeps of one call, its outcome, its forms as JSON line and CSV row."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, TextIO

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

_to_json = json.JSONEncoder(ensure_ascii=False).encode
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    CANCELLED = "cancelled"
    BUSY = "busy"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


class Party(StrEnum):
    """Who ended a call."""

    CALLER = "caller"
    CALLEE = "callee"
    SWITCHBOARD = "switchboard"
    OPERATOR = "operator"
    """Hung up from the console, the API or the command line."""
    UNSEEN = "unseen"
    """Nobody knows: the end of an answered call was not seen. Records only."""

    @property
    def text(self) -> str:
        """For people, under the heading "ended by"."""
        return "its end was not seen" if self is Party.UNSEEN else self.value


Timestamp = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
"""An instant as records bear it, RFC 3339 in UTC with milliseconds: 2026-11-22T10:00:00.123Z."""


def milliseconds(at: float) -> int:
    """The instant `at` (epoch s) as exactly as records bear it, epoch ms."""
    return round(at * 1000)


def timestamp(at: float) -> Timestamp:
    """The instant `at` (epoch s)."""
    second, millisecond = divmod(milliseconds(at), 1000)
    return f"{_second(second)}.{millisecond:03}Z"


@lru_cache
def _second(second: int) -> str:
    """Without the fraction. Calls of one batch share their seconds, so most of the work is done already."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class ForwardedBy:
    """The rule of `by`, a user or "group:NAME", led the call to the destination `to`."""

    by: str
    to: str
    why: str
    """`always`, `busy`, `no_answer`, `unregistered`, `dnd`, `group` (nobody of it has taken the call), `taken` (of the
    group `by` the member `to` has)."""

    def __str__(self) -> str:
        return f"{self.by} → {self.to} ({self.why})"


class Voice(StrEnum):
    """In which directions the media of a call flowed."""

    BOTH_WAYS = "both ways"
    ONE_WAY = "one way"
    NONE = "none"

    @property
    def flaw(self) -> str:
        """What is to be said of it, if anything is."""
        return {Voice.ONE_WAY: "one-way voice", Voice.NONE: "no voice"}.get(self, "")


@dataclass(frozen=True, slots=True)
class Relayed:
    """An engine relayed the media: packets (RTP) that came from the caller and from the callee; None: nobody knows."""

    engine: str
    from_caller: int | None
    from_callee: int | None

    @property
    def voice(self) -> Voice | None:
        """In which directions it flowed; None: nobody knows."""
        if self.from_caller is None or self.from_callee is None:
            return None
        return (Voice.NONE, Voice.ONE_WAY, Voice.BOTH_WAYS)[bool(self.from_caller) + bool(self.from_callee)]

    def __str__(self) -> str:
        told = f"{self.from_caller} from the caller, {self.from_callee} from the callee"
        return f"{self.engine} ({told if self.voice else 'unknown'})"


class CallDetailRecord(BaseModel):
    """One call, ended; fields in their order on disk. An instant is None if what it marks did not happen."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    call_id: str
    caller: str
    """The caller's URI."""
    callee: str
    """The URI that was dialled."""
    started_at: Timestamp
    """First INVITE."""
    ringing_at: Timestamp | None
    """First provisional response beyond 100."""
    answered_at: Timestamp | None
    """First 2xx."""
    ended_at: Timestamp
    """BYE, or the final response of a call that was not answered; if the end was not seen, what was last."""
    duration_s: float
    """From answer to end, to the millisecond; 0.0 if there was no answer. Of an unseen end: at least."""
    outcome: Outcome
    status: int
    """The final SIP code."""
    ended_by: Party
    forwarded: tuple[ForwardedBy, ...] = ()
    """In their order; on disk only if there are any."""
    relayed: Relayed | None = None
    """On disk only if an engine has relayed the media."""

    @property
    def voice_flaw(self) -> str:
        """`one-way voice` or `no voice`, where an engine has noticed it; else empty."""
        voice = self.relayed and self.relayed.voice
        return voice.flaw if voice else ""

    def to_line(self) -> bytes:
        """The record as one line of cdr.jsonl, newline included."""
        fields = {name: value for name, value in vars(self).items() if name not in _IF_ANY}
        if self.forwarded:
            fields["forwarded"] = [asdict(each) for each in self.forwarded]
        if self.relayed:
            fields["relayed"] = asdict(self.relayed)
        return _to_json(fields).encode() + b"\n"


_IF_ANY: Final = ("forwarded", "relayed")
_INSTANTS: Final = ("started_at", "ringing_at", "answered_at", "ended_at")


def by_wall_clock(record: CallDetailRecord, correction_s: float) -> CallDetailRecord:
    """The record as it is written."""
    return record.model_copy(update=moved(vars(record), correction_s)) if correction_s else record


def moved(fields: Mapping[str, Any], by_s: float) -> dict[str, Any]:
    """The fields of a record, or of a call in progress, by a clock that is ahead by this amount."""
    instants = {name: fields[name] and shown(instant(fields[name]), by_s) for name in _INSTANTS}
    return {**fields, **instants}


def shown(at: float, correction_s: float) -> Timestamp:
    """The instant by a clock that is ahead by this amount; never before 1970."""
    return timestamp(max(0, milliseconds(at) + milliseconds(correction_s)) / 1000)


def instant(text: Timestamp) -> float:
    """What `timestamp` has written, epoch s."""
    return datetime.fromisoformat(text).timestamp()


def parse_line(line: bytes) -> CallDetailRecord | None:
    """The record on a line of cdr.jsonl; None if the line holds none (torn, or somebody else's)."""
    try:
        return CallDetailRecord.model_validate_json(line)
    except ValidationError:
        return None


def write_csv(records: Iterable[CallDetailRecord], stream: TextIO) -> None:
    """Write a header and a row a record, for spreadsheets.

    Text that a spreadsheet would take for a formula gets a leading apostrophe.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CallDetailRecord.model_fields)
    for record in records:
        writer.writerow([_cell(value) for value in vars(record).values()])


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return _cell(", ".join(map(str, value)))
    if isinstance(value, Relayed):
        return _cell(str(value))
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


_BY_STATUS = {
    486: Outcome.BUSY,
    600: Outcome.BUSY,
    603: Outcome.DECLINED,
    607: Outcome.DECLINED,
    608: Outcome.DECLINED,
    404: Outcome.UNREACHABLE,
    410: Outcome.UNREACHABLE,
    502: Outcome.UNREACHABLE,
    503: Outcome.UNREACHABLE,
    504: Outcome.UNREACHABLE,
    604: Outcome.UNREACHABLE,
}
_SILENCE = (408, 480)  # not answered: a matter of whether it rang
_CANCELLING = (Party.CALLER, Party.OPERATOR)
_AFTER_CANCEL = (408, 487)  # RFC 3261 §9.1: a callee that confirms the CANCEL, and one that does not

_GONE = frozenset({404, 408, 410, 430, 481, 503, 604})
"""RFC 3261 §15.1.1, RFC 5057 §5.1; out of reach: 503, and 430, if its connection is gone (RFC 5626 §11.5)."""

_NO_WAY_THERE = (500, Party.SWITCHBOARD)  # what a proxy makes of a 503 (RFC 3261 §16.7 step 6)


def ends_call(status: int) -> bool:
    """Whether a final response to a BYE says that the call is over: it was accepted, or nobody is there.

    Any other one refuses the BYE, or asks for a password: then who hung up tries again, or the call goes on.
    """
    return 200 <= status < 300 or status in _GONE


def outcome_of(status: int, by: Party, rang: bool) -> Outcome:
    """What a final response other than a 2xx says of the call."""
    if by in _CANCELLING and status in _AFTER_CANCEL:
        return Outcome.CANCELLED
    if status in _SILENCE:
        return Outcome.NO_ANSWER if rang else Outcome.UNREACHABLE
    if (status, by) == _NO_WAY_THERE:
        return Outcome.UNREACHABLE
    return _BY_STATUS.get(status, Outcome.FAILED)
