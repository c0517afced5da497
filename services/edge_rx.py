"""The edge's read side: hands each datagram to the worker whose business it is."""

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from switchboard.bus.actor import Actor, run_actor
from switchboard.bus.context import BusContext
from switchboard.bus.datagrams import receive
from switchboard.bus.outbox import Outbox
from switchboard.bus.udp import inherited_sockets
from switchboard.local import own_domains
from switchboard.settings import Settings
from switchboard.sip.datagram import PONG, Kind, classify, looks_like_request, strip_empty_lines
from switchboard.sip.dispatch import REGISTRAR, Dispatcher
from switchboard.sip.errors import ParseError
from switchboard.sip.scan import scan
from switchboard.site import endpoints_of

DATAGRAMS_A_ROUND = 64
LOOK_AROUND_S = 10.0  # between two looks at the machine's addresses, which tell our own REGISTERs


class EdgeRx(Actor):
    """Owns nothing: reads the UDP sockets that its parent holds.

    Casts: sip.received to a router or the registrar; sip.send (the pongs of RFC 5626) to edge-tx.
    """

    name = "edge-rx"
    has_inbox = False

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        instance: int,  # noqa: ARG002
        sockets: Sequence[socket.socket] | None = None,
    ) -> None:
        inbox = endpoints_of(settings).inbox
        self._settings = settings
        self._sockets = inherited_sockets() if sockets is None else sockets
        self._routers = [
            Outbox(context, inbox("router", number), "sip.received") for number in range(settings.routers)
        ]
        self._registrar = Outbox(context, inbox("registrar"), "sip.received")
        self._edge_tx = Outbox(context, inbox("edge-tx"), "sip.send")
        self.outboxes = [*self._routers, self._registrar, self._edge_tx]
        self._dispatcher = Dispatcher(settings.routers, own_domains(settings).owns)
        self._next_look = time.monotonic() + LOOK_AROUND_S
        self._taken = dict.fromkeys(Kind, 0)
        self._refused = self._dropped = 0

    def watch(self) -> dict[int, Callable[[float], None]]:
        """The UDP sockets."""
        return {sock.fileno(): partial(self._drain, sock) for sock in self._sockets}

    def next_deadline(self) -> float:
        """The next look at the machine's addresses."""
        return self._next_look

    def handle_timer(self, now: float) -> None:
        """Keep up with the machine's addresses."""
        self._next_look = now + LOOK_AROUND_S
        self._dispatcher.owns = own_domains(self._settings).owns

    def stats(self) -> dict[str, float]:
        """Datagrams by kind; of the messages, broken requests (refused) and what else broke (dropped)."""
        kinds = {f"datagrams.{kind.name.lower()}": count for kind, count in self._taken.items()}
        return {**kinds, "refused": self._refused, "dropped": self._dropped}

    def _drain(self, sock: socket.socket, _now: float) -> None:
        for _ in range(DATAGRAMS_A_ROUND):
            datagram = receive(sock)
            if datagram is None:
                return
            self._take(*datagram)

    def _take(self, data: bytes, host: str, port: int, local_host: str) -> None:
        kind = classify(data)
        self._taken[kind] += 1
        if kind is Kind.MESSAGE:
            self._hand_on(strip_empty_lines(data), host, port, local_host)
        elif kind is Kind.PING:
            self._edge_tx.put([host, port, local_host, PONG])

    def _hand_on(self, raw: bytes, host: str, port: int, local_host: str) -> None:
        try:
            index = scan(raw)
            target = self._dispatcher.target(raw, index)
        except ParseError:
            self._hand_on_unscanned(raw, host, port, local_host)
            return
        outbox = self._registrar if target == REGISTRAR else self._routers[target]
        outbox.put([host, port, local_host, index, raw])

    def _hand_on_unscanned(self, raw: bytes, host: str, port: int, local_host: str) -> None:
        """To router 0, which answers 400, if it was meant as a request."""
        if looks_like_request(raw):
            self._refused += 1
            self._routers[0].put([host, port, local_host, b"", raw])
        else:
            self._dropped += 1


if __name__ == "__main__":
    run_actor(EdgeRx)
