"""What an edge-stream sends: over which connection a message leaves, and what becomes of it if that is gone."""

import re
from typing import Any, Final

from switchboard.bus.frames import SENT, flow_of
from switchboard.edge.rate_limit import Phones
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, Flow, is_dialled, is_secure
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop
from switchboard.sip.scan import scan
from switchboard.sip.via import Via
from switchboard.transports.connection import Connection
from switchboard.transports.streams import Streams
from switchboard.workers.stream_reports import Reports

SIP_PORT, SIPS_PORT = 5060, 5061
EARLY_KEPT: Final = 10_000
"""Messages that come before the connections do."""
USER_SHOWN: Final = 128
"""Octets of a user's name, which the keeper keeps, too."""
_SUCCESS: Final = b"SIP/2.0 2"
_CSEQ = re.compile(rb"\nCSeq[ \t]*:[ \t]*[0-9]+[ \t]+([A-Z]+)", re.IGNORECASE)
_TO_USER = re.compile(rb"\n(?:To|t)[ \t]*:[^\n]*?sips?:([^@>;\r\n]+)@", re.IGNORECASE)


class StreamSending:
    """Sends items of sip.send over `streams`; `phones`: the sources that have registered. `now`: monotonic s."""

    def __init__(self, streams: Streams, reports: Reports, phones: Phones) -> None:
        self.bad_items = 0
        self.early_dropped = 0
        self._streams = streams
        self._reports = reports
        self._phones = phones
        self._early: list[Any] = []

    def keep_early(self, items: list[Any]) -> None:
        """Not all connections of the predecessor are here yet: nobody can say that one is gone."""
        room = max(0, EARLY_KEPT - len(self._early))
        self._early += items[:room]
        self.early_dropped += len(items[room:])

    def send_early(self, now: float) -> None:
        """All connections are here: send what was kept."""
        early, self._early = self._early, []
        self.send_all(early, now)

    def send_all(self, items: list[Any], now: float) -> None:
        """Send them in their order."""
        for item in items:
            self.send(item, now)

    def send(self, item: Any, now: float) -> None:
        """Send one over the connection of its flow, or over a new one."""
        flow = flow_of(item, SENT)
        if flow is None or flow.transport not in NAMES:
            self.bad_items += 1
            return
        raw: bytes = item[1]
        connection = self._streams.find(flow, raw)
        if connection is not None:
            self.send_on(connection, raw, now)
        elif flow.connection:
            self._send_elsewhere(raw, flow, now)
        elif not self._streams.send(raw, flow, now) and not raw.startswith(b"SIP/"):
            self._reports.failed(flow, raw)

    def send_on(self, connection: Connection, raw: bytes, now: float) -> None:
        """Send over this connection."""
        self._look_who(connection, raw, now)
        self._streams.write(connection, raw, now)

    def _send_elsewhere(self, raw: bytes, flow: Flow, now: float) -> None:
        """The connection is gone: the registrar hears of it again, which may have been told in another life, or before
        it bound somebody to it.
        """
        if not raw.startswith(b"SIP/"):
            self._streams.failed += 1
            self._reports.closed(flow)
            self._reports.failed(flow, raw)
            return
        if raw.startswith(_SUCCESS):
            self._reports.closed(flow)
        self._send_to_via(raw, flow, now)

    def _look_who(self, connection: Connection, raw: bytes, now: float) -> None:
        """Whoever has registered or called, or is called, is no stranger."""
        if raw.startswith(_SUCCESS):
            found = _CSEQ.search(raw)
            if found is None:
                return
            if found[1] == b"REGISTER":
                self._phones.add(*connection.flow.hop, now)
                user = _TO_USER.search(raw)
                self._streams.know(
                    connection, user[1][:USER_SHOWN].decode("utf-8", "replace") if user else ""
                )
            elif found[1] == b"INVITE":
                self._streams.know(connection)
        elif not raw.startswith(b"SIP/"):
            self._streams.know(connection)

    def _send_to_via(self, raw: bytes, flow: Flow, now: float) -> None:
        """The connection of the request is gone: its response makes another one (§18.2.2)."""
        hop = _hop_of(raw, flow)
        if hop is None or not self._streams.send(raw, Flow(flow.transport, flow.local, *hop), now):
            self._streams.failed += hop is None


def _hop_of(raw: bytes, flow: Flow) -> Hop | None:
    """Where the sender of the request that `raw` answers can be connected to; None if nowhere."""
    if not is_dialled(flow.transport):
        return None
    try:
        via = Via.parse(Message(raw, scan(raw)).top_via)
    except ParseError:
        return None
    return flow.host, via.port or (SIPS_PORT if is_secure(flow.transport) else SIP_PORT)
