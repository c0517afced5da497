"""Call events, as routers tell them to the journal (docs/BUS.md, `call.happened`)."""

from dataclasses import dataclass

from switchboard.cdr.record import Party

MAX_TEXT = 1024
"""Characters kept of a Call-ID, tag or URI: what is longer is nobody's phone, and may not fill our memory."""
_END_OF_TIME = 4_102_444_800.0  # 2100


class EventError(Exception):
    """What arrived is no call event."""


@dataclass(frozen=True, slots=True)
class Invite:
    """An initial INVITE (no To tag). `at`, here as in all events: epoch s."""

    call_id: str
    from_tag: str
    at: float
    caller: str
    callee: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional response from 101 to 199 went to the caller."""

    call_id: str
    from_tag: str
    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx to the initial INVITE went to the caller; `to_tag` tells the forks of a call apart."""

    call_id: str
    from_tag: str
    at: float
    to_tag: str
    status: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Another final response went to the caller; `by` caused it (the caller by CANCEL)."""

    call_id: str
    from_tag: str
    at: float
    status: int
    by: Party


@dataclass(frozen=True, slots=True)
class Bye:
    """A BYE passed; both tags are its own, so From is whoever hangs up."""

    call_id: str
    from_tag: str
    at: float
    to_tag: str


CallEvent = Invite | Ringing | Answered | Failed | Bye


def read_event(item: object) -> CallEvent:
    """The event in `[number, kind, call_id, from_tag, at, details…]`. EventError, whatever the item is.

    Bytes that were no UTF-8 become question marks, since records are text.
    """
    match item:
        case [int(), str(kind), str(call_id), str(from_tag), float() | int() as at, *details] if (
            0 <= at < _END_OF_TIME
        ):
            return _read(kind, (_text(call_id), _text(from_tag), float(at)), details)
    raise EventError("not [number, kind, call_id, from_tag, at, details…]")


def _read(kind: str, call: tuple[str, str, float], details: list[object]) -> CallEvent:
    match kind, details:
        case "invite", [str(caller), str(callee)]:
            return Invite(*call, _text(caller), _text(callee))
        case "ringing", []:
            return Ringing(*call)
        case "answered", [str(to_tag), int(status)] if 200 <= status < 300:
            return Answered(*call, _text(to_tag), status)
        case "failed", [int(status), "caller" | "callee" | "switchboard" as by] if 300 <= status < 700:
            return Failed(*call, status, Party(by))
        case "bye", [str(), str(to_tag)]:
            return Bye(*call, _text(to_tag))
    raise EventError(f"not an event: {kind!r} with {len(details)} details")


def _text(text: str) -> str:
    if len(text) > MAX_TEXT or not text.isascii():
        return text[:MAX_TEXT].encode("utf-8", "replace").decode()
    return text
