"""Log lines about single requests, with a limit on their number.

They report refused requests (in the form that fail2ban reads), bindings that were displaced for lack of room,
connections whose peers broke the rules, and, at level debug, every message in a worker's frames.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import structlog

from switchboard.auth.failures import NO_ATTACK, Failure
from switchboard.bounded import TokenBucket
from switchboard.bus import frames
from switchboard.bus.frames import message_in
from switchboard.history.masking import mask
from switchboard.registrar.rules import Displaced
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import format_hop
from switchboard.sip.message import parse_message

FAILURES_A_SECOND: Final = 10.0
FAILURES_AT_ONCE: Final = 50.0
_LONGEST = 64
_ODD = re.compile(r"[^A-Za-z0-9._+\-@%*]")
_ODD_HOST = re.compile(r"[^A-Za-z0-9._\-:\[\]]")


_TODO: Final = (
    "set a domain of ours in the phone, or add this one to SWITCHBOARD_DOMAINS; if it is ours, mind the port"
)


class FailureLog:
    """One worker's; `unlogged` counts what was too much. `now`: monotonic s."""

    def __init__(self) -> None:
        self.unlogged = 0
        self._room = TokenBucket(FAILURES_A_SECOND, FAILURES_AT_ONCE, 0.0)

    def tell(self, failures: Iterable[Failure], now: float) -> None:
        """Write a line for each of them while there is room."""
        for failure in failures:
            if not self._room.take(now):
                self.unlogged += 1
                continue
            structlog.get_logger().warning(
                "registration elsewhere" if failure.reason in NO_ATTACK else "auth failed",
                source=failure.source,
                user=_ODD.sub("?", failure.user[:_LONGEST]),
                method=_ODD.sub("?", failure.method[:_LONGEST]),
                reason=str(failure.reason),
                **_if_known(algorithm=failure.algorithm, user_agent=failure.user_agent),
                **_elsewhere(failure.domain),
            )


def _if_known(**details: str) -> dict[str, str]:
    return {name: _ODD.sub("?", text) for name, text in details.items() if text}


def _elsewhere(domain: str) -> dict[str, str]:
    return {"domain": _ODD_HOST.sub("?", domain[:_LONGEST]), "todo": _TODO} if domain else {}


DISPLACED_A_SECOND: Final = 1.0
DISPLACED_AT_ONCE: Final = 20.0
_LONGEST_SHOWN = 64
_UNPRINTED = re.compile("[^!-~]|=")


class BindingLog:
    """The registrar's; `unlogged` counts what was too much. `now`: monotonic s."""

    def __init__(self, now: float) -> None:
        self.unlogged = 0
        self._room = TokenBucket(DISPLACED_A_SECOND, DISPLACED_AT_ONCE, now)

    def tell(self, displaced: Iterable[Displaced], now: float) -> None:
        """Write a line for each of them while there is room."""
        for user, binding, source in displaced:
            if not self._room.take(now):
                self.unlogged += 1
                continue
            structlog.get_logger().warning(
                "registration displaced",
                source=source[0],
                user=_printed(user),
                contact=_printed(binding.contact),
                user_agent=_printed(binding.user_agent),
            )


class EndedLog:
    """An edge-stream's: connections whose peers broke the rules. `unlogged` counts what was too much."""

    def __init__(self, now: float) -> None:
        self.unlogged = 0
        self._room = TokenBucket(DISPLACED_A_SECOND, DISPLACED_AT_ONCE, now)

    def tell(self, host: str, transport: str, reason: str, now: float) -> None:
        """Write a line if there is room. `reason`: a sentence of ours."""
        if self._room.take(now):
            structlog.get_logger().info("stream ended", source=host, transport=transport, reason=reason)
        else:
            self.unlogged += 1


def _printed(text: str) -> str:
    """What a stranger wrote must not look like a field."""
    return _UNPRINTED.sub("?", text[:_LONGEST_SHOWN])


class FrameLog:
    """Tells of every message and call event that a worker takes from the bus (docs/BUS.md, Subjects)."""

    def tell(self, frame: bytes) -> None:
        """A line for each item; none for a frame that cannot be read, which its receiver counts."""
        try:
            subject, body = frames.unpack(frame)
        except frames.FrameError:
            return
        match subject, body:
            case "sip.received" | "sip.send" | "sip.translate", list(items):
                for item in items:
                    _tell_message(subject, item)
            case "call.happened", [_, _, list(events)]:
                for event in events:
                    _tell_event(event)


def _tell_message(subject: str, item: Any) -> None:
    if found := message_in(subject, item):
        flow, raw = found
        _tell(subject, raw, format_hop(*flow.hop))


def _tell(subject: str, raw: bytes, peer: str) -> None:
    line = mask(raw.partition(b"\r\n")[0]).decode(errors="replace")
    try:
        message = parse_message(raw)
    except ParseError as error:
        structlog.get_logger().debug(subject, line=line, peer=peer, broken=str(error))
        return
    number, method = message.cseq
    cseq = f"{number} {method}"
    structlog.get_logger().debug(subject, call_id=message.call_id, line=line, cseq=cseq, peer=peer)


def _tell_event(event: Any) -> None:
    match event:
        case [int(), str(kind), str(call_id), *_]:
            structlog.get_logger().debug("call.happened", call_id=call_id, kind=kind)
