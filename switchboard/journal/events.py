"""Call events, as routers tell them to the journal (docs/BUS.md, `call.happened`)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from switchboard.journal.record import Party

MAX_TEXT = 1024
"""Characters kept of a Call-ID, tag or URI: what is longer is nobody's phone, and may not fill our memory."""
UNKNOWN = -1
"""So many packets came where nobody knows."""
_MOST_PACKETS = 2**53
_END_OF_TIME = 4_102_444_800.0  # 2100
_PARTIES = {party.value: party for party in Party if party is not Party.UNSEEN}
_Call = tuple[str, str, float]
_new = tuple.__new__  # what a NamedTuple's own does, less a call


class EventError(Exception):
    """What arrived is no call event."""


class Invite(NamedTuple):
    """An initial INVITE (no To tag). `at`, here as in all events: epoch s."""

    call_id: str
    from_tag: str
    at: float
    caller: str
    callee: str


class Ringing(NamedTuple):
    """A provisional response from 101 to 199 went to the caller."""

    call_id: str
    from_tag: str
    at: float


class Answered(NamedTuple):
    """A 2xx to the initial INVITE went to the caller; `to_tag` tells the forks of a call apart.

    `session_s`: the call ends after this time unless it is refreshed (RFC 4028); 0: not by itself.
    `record_routed`: the 2xx bears a Record-Route, so the rest of the call comes past us.
    """

    call_id: str
    from_tag: str
    at: float
    to_tag: str
    status: int
    session_s: int = 0
    record_routed: bool = True


class Failed(NamedTuple):
    """Another final response went to the caller; `by` caused it (the caller by CANCEL)."""

    call_id: str
    from_tag: str
    at: float
    status: int
    by: Party


class Unconfirmed(NamedTuple):
    """No ACK for the 2xx has come past us within 64 · T1."""

    call_id: str
    from_tag: str
    at: float


class Forwarded(NamedTuple):
    """The rule of `by` led the call to `to`, because of `why` (`call_plan.Why`), after so many seconds of ringing."""

    call_id: str
    from_tag: str
    at: float
    by: str
    to: str
    why: str
    after_s: int


class Relayed(NamedTuple):
    """A BYE ends a dialog whose media an engine has relayed; both tags are the BYE's.

    `from_packets`, `to_packets`: of media (RTP) that came from who sent the BYE, and from the other side; None where
    nobody knows.
    """

    call_id: str
    from_tag: str
    at: float
    to_tag: str
    engine: str
    from_packets: int | None
    to_packets: int | None


class Refreshed(NamedTuple):
    """A re-INVITE or UPDATE was answered with a 2xx; both tags are the request's. `session_s` as above."""

    call_id: str
    from_tag: str
    at: float
    to_tag: str
    session_s: int


class Bye(NamedTuple):
    """A BYE that came at `at` is done with; both tags are its own, so From is the side that hangs up.

    `status`: of the final response; 408 if there is none. Old routers tell of a BYE before it is answered.
    `by`: who sent it in the name of that side; None: the side itself.
    """

    call_id: str
    from_tag: str
    at: float
    to_tag: str
    status: int = 200
    by: Party | None = None


CallEvent = Invite | Ringing | Forwarded | Answered | Failed | Unconfirmed | Refreshed | Relayed | Bye


def read_event(item: object) -> CallEvent:
    """The event in `[number, kind, call_id, from_tag, at, details…]`. EventError, whatever the item is.

    Bytes that were no UTF-8 become question marks, since records are text.
    """
    if not isinstance(item, list):
        raise EventError("not [number, kind, call_id, from_tag, at, details…]")
    read = _READERS.get(tuple(map(type, item)))
    if read is None or not 0 <= item[4] < _END_OF_TIME:
        raise EventError("no call event has these types, or not at such a time")
    return read(item[1], (_text(item[2]), _text(item[3]), item[4]), item[5:])


def _read_bare(kind: str, call: _Call, _details: list[Any]) -> CallEvent:
    if kind == "ringing":
        return _new(Ringing, call)
    if kind == "unconfirmed":
        return _new(Unconfirmed, call)
    raise EventError(f"not an event: {kind!r} without details")


def _read_texts(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    if kind == "invite":
        return _new(Invite, (*call, _text(details[0]), _text(details[1])))
    if kind == "bye":
        return _new(Bye, (*call, _text(details[1]), 200, None))
    raise EventError(f"not an event: {kind!r} with two texts")


def _read_in_dialog(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    _, to_tag, number = details
    if kind == "bye" and 200 <= number < 700:
        return _new(Bye, (*call, _text(to_tag), number, None))
    if kind == "refreshed" and number >= 0:
        return _new(Refreshed, (*call, _text(to_tag), number))
    raise EventError(f"not an event: {kind!r} with two texts and {number}")


def _read_ended(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    _, to_tag, status, by = details
    if kind == "bye" and 200 <= status < 700 and by in _PARTIES:
        return _new(Bye, (*call, _text(to_tag), status, _PARTIES[by]))
    raise EventError(f"not an event: {kind!r} with two texts and {status} by {by!r}")


def _read_answer(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    to_tag, status, session_s, record_routed = details if len(details) == 4 else (*details, 0, True)
    if kind == "answered" and 200 <= status < 300 and session_s >= 0:
        return _new(Answered, (*call, _text(to_tag), status, session_s, record_routed))
    raise EventError(f"not an event: {kind!r} with a text and {status}")


def _read_failure(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    status, by = details
    if kind == "failed" and 300 <= status < 700 and by in _PARTIES:
        return _new(Failed, (*call, status, _PARTIES[by]))
    raise EventError(f"not an event: {kind!r} with {status} by {by!r}")


def _read_forward(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    by, to, why, after_s = details
    if kind == "forwarded" and after_s >= 0:
        return _new(Forwarded, (*call, _text(by), _text(to), _text(why), after_s))
    raise EventError(f"not an event: {kind!r} with three texts and {after_s}")


def _read_relayed(kind: str, call: _Call, details: list[Any]) -> CallEvent:
    _, to_tag, engine, *counts = details
    if kind == "relayed" and all(UNKNOWN <= each < _MOST_PACKETS for each in counts):
        known = (None if each == UNKNOWN else each for each in counts)
        return _new(Relayed, (*call, _text(to_tag), _text(engine), *known))
    raise EventError(f"not an event: {kind!r} with three texts and {counts}")


_HEAD = (int, str, str, str, float)
_READERS: dict[tuple[type, ...], Callable[[str, _Call, list[Any]], CallEvent]] = {
    _HEAD: _read_bare,
    (*_HEAD, str, str): _read_texts,
    (*_HEAD, str, str, int): _read_in_dialog,
    (*_HEAD, str, str, int, str): _read_ended,
    (*_HEAD, str, str, str, int): _read_forward,
    (*_HEAD, str, str, str, int, int): _read_relayed,
    (*_HEAD, str, int): _read_answer,
    (*_HEAD, str, int, int, bool): _read_answer,
    (*_HEAD, int, str): _read_failure,
}
"""By the types of an item: one look-up, in a third of the time of a match statement."""


def _text(text: str) -> str:
    if len(text) > MAX_TEXT or not text.isascii():
        return text[:MAX_TEXT].encode("utf-8", "replace").decode()
    return text
