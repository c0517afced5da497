"""Debug lines about the messages in a worker's frames: nobody pays for them at another level."""

from typing import Any

import structlog

from switchboard.bus import frames
from switchboard.bus.items import message_in
from switchboard.sip.errors import ParseError
from switchboard.sip.host import format_hop
from switchboard.sip.mask import mask
from switchboard.sip.message import parse_message


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
