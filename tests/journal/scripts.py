"""Call events to play, for tests: T0 is when everything begins."""

from switchboard.journal.call import Call
from switchboard.journal.events import (
    UNKNOWN,
    Answered,
    Bye,
    CallEvent,
    Failed,
    Forwarded,
    Invite,
    Refreshed,
    Relayed,
    Ringing,
    Unconfirmed,
)
from switchboard.journal.record import CallDetailRecord, Party

T0 = 1_795_341_600.0
ENGINE = "rtpengine://127.0.0.1:2223"
CALLER, CALLEE = "sip:lukas@10.0.0.1", "sip:mia@10.0.0.1"


def invite(at: float = 0.0, call_id: str = "c") -> Invite:
    return Invite(call_id, "a", T0 + at, CALLER, CALLEE)


def ringing(at: float = 1.0, call_id: str = "c") -> Ringing:
    return Ringing(call_id, "a", T0 + at)


def forwarded(by: str, to: str, why: str = "busy", at: float = 1.5, call_id: str = "c") -> Forwarded:
    return Forwarded(call_id, "a", T0 + at, by, to, why, 0)


def answered(
    at: float = 2.0,
    to_tag: str = "b",
    call_id: str = "c",
    status: int = 200,
    session_s: int = 0,
    record_routed: bool = True,
) -> Answered:
    return Answered(call_id, "a", T0 + at, to_tag, status, session_s, record_routed)


def unconfirmed(at: float = 34.0, call_id: str = "c") -> Unconfirmed:
    return Unconfirmed(call_id, "a", T0 + at)


def refreshed(at: float, session_s: int = 0, from_tag: str = "a", to_tag: str = "b") -> Refreshed:
    return Refreshed("c", from_tag, T0 + at, to_tag, session_s)


def failed(status: int, by: str = "callee", at: float = 2.0, call_id: str = "c") -> Failed:
    return Failed(call_id, "a", T0 + at, status, Party(by))


def relayed(
    from_packets: int | None = 250,
    to_packets: int | None = 3,
    from_tag: str = "a",
    to_tag: str = "b",
    at: float = 5.0,
) -> Relayed:
    return Relayed("c", from_tag, T0 + at, to_tag, ENGINE, from_packets, to_packets)


def bye(
    from_tag: str = "a", to_tag: str = "b", at: float = 5.0, call_id: str = "c", status: int = 200
) -> Bye:
    return Bye(call_id, from_tag, T0 + at, to_tag, status)


def finished(call_id: str) -> CallDetailRecord:
    """The record of some call that was declined."""
    record = Call.begin(invite(call_id=call_id)).fail(failed(603, call_id=call_id))
    assert record is not None
    return record


def item(number: int, event: CallEvent) -> list[object]:
    """The event as it crosses the bus."""
    head: list[object] = [number, type(event).__name__.lower(), event.call_id, event.from_tag, event.at]
    match event:
        case Invite():
            return [*head, event.caller, event.callee]
        case Forwarded():
            return [*head, event.by, event.to, event.why, event.after_s]
        case Answered():
            return [*head, event.to_tag, event.status, event.session_s, event.record_routed]
        case Failed():
            return [*head, event.status, event.by.value]
        case Bye():
            by = [event.by.value] if event.by else []
            return [*head, event.from_tag, event.to_tag, event.status, *by]
        case Relayed():
            counts = (UNKNOWN if each is None else each for each in (event.from_packets, event.to_packets))
            return [*head, event.from_tag, event.to_tag, event.engine, *counts]
        case Refreshed():
            return [*head, event.from_tag, event.to_tag, event.session_s]
        case Ringing() | Unconfirmed():
            return head
