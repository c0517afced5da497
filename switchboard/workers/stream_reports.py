"""Who is told by an edge-stream that a request has not left, that a connection is gone, or that it has begun again."""

from collections.abc import Callable
from typing import Final

from switchboard.bus.context import BusContext
from switchboard.bus.outbox import Outbox
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of
from switchboard.settings.trunks import register_over_streams
from switchboard.sip.dispatch import parse_quoted
from switchboard.sip.flow import Flow

CLOSED_KEPT: Final = 10_000
HEAD_OCTETS: Final = 1024
"""Of a request that has not left: enough to find its branch."""


class Reports:
    """Casts sip.undeliverable to routers, connection.closed and stream.restarted to registrars and to trunks.

    `routers`: how many there are or were; `heir`: by which one of them another one's calls are led, None if by nobody.
    """

    def __init__(
        self, settings: Settings, context: BusContext, routers: int, heir: Callable[[int], int | None]
    ) -> None:
        inbox = endpoints_of(settings).inbox
        self._heir = heir
        self._closed = [
            Outbox(context, inbox("registrar", each), "connection.closed", CLOSED_KEPT)
            for each in range(settings.registrars)
        ]
        subjects = ("connection.closed", "stream.restarted") if register_over_streams(settings.trunks) else ()
        self._trunks = [Outbox(context, inbox("trunks", 0), subject, CLOSED_KEPT) for subject in subjects]
        self._lost = [Outbox(context, inbox("router", each), "sip.undeliverable") for each in range(routers)]
        self.outboxes = [*self._closed, *self._trunks, *self._lost]

    def failed(self, flow: Flow, head: bytes) -> None:
        """A request that begins so has not left: the router that sent it is told."""
        quoted = parse_quoted(head)
        if quoted is not None:
            router = self._heir(quoted.router)
            number = quoted.router % len(self._lost) if router is None else router
            self._lost[number].put([flow.pack(), head[:HEAD_OCTETS]])

    def closed(self, flow: Flow) -> None:
        """Each of several registrars, since the one that bound somebody may be away; and who registers with others."""
        for outbox in (*self._closed, *self._trunks[:1]):
            outbox.put([flow.pack()])

    def begun(self, instance: int, had_one: bool) -> None:
        """All connections that there were are here; `had_one`: there was a predecessor."""
        if had_one:
            for outbox in (*self._lost, *self._closed):
                outbox.peer.send("stream.restarted", [instance])
        for outbox in self._trunks[1:]:
            outbox.put(instance)
