"""The edge's write side: sends what the other workers want sent."""

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import SocketKind
from switchboard.bus.frames import SENT, flow_of
from switchboard.bus.tap import Tap
from switchboard.settings.model import Settings
from switchboard.settings.site import advertised, endpoints_of
from switchboard.transports.udp import UDP
from switchboard.workers.arbiter import fence_for
from switchboard.workers.run import run_actor

_HEAD = frames.head("sip.send")


class EdgeTx(Actor):
    """Owns nothing: writes to the UDP sockets that its parent holds.

    Casts: sip.send from routers, registrar, translator and edge-rx -> datagrams, at once and in order.
    Its tap shows what it sends.
    """

    name = "edge-tx"

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        instance: int,
        sockets: Sequence[socket.socket] | None = None,
    ) -> None:
        mine = UDP.inherited_sockets() if sockets is None else sockets
        self._sender = UDP.make_sender(mine, advertised(settings))
        self._sent = self._failed = self._bad_items = 0
        owner = f"{self.name}.{instance}"
        self._tap = Tap(context, endpoints_of(settings).listen(owner, SocketKind.PUBLISHER), owner)
        self._fence = fence_for(settings, context, owner)

    def watch(self) -> dict[int, Callable[[float], None]]:
        """The tap."""
        return self._tap.watch()

    def next_deadline(self) -> float:
        """What the tap has to tell."""
        return min(self._tap.due_at, self._fence.due_at) if self._fence else self._tap.due_at

    def handle_timer(self, now: float) -> None:
        """Let the tap tell."""
        self._tap.handle_timer(now)
        if self._fence:
            self._fence.handle_timer()

    def receive_frame(self, frame: bytes) -> int | None:
        """Send the datagrams of a sip.send from within the frame, where that can be done."""
        if not frame.startswith(_HEAD):
            return self._receive_labelled(frame) if self._fence else None
        if self._tap.is_open:
            self._tap.publish(frame, "", time.time_ns())
        counts = self._sender.send_items(frame, len(_HEAD))
        if counts is None:
            return None
        self._sent += counts[0]
        self._failed += counts[1]
        return sum(counts)

    def _receive_labelled(self, frame: bytes) -> int | None:
        """The same for what a router has sent that may be declared dead."""
        assert self._fence is not None
        plain = self._fence.pass_on(frame)
        if plain is None:
            return None
        count = self.receive_frame(plain) if plain else 0
        if count is None:
            subject, body = frames.unpack(plain)
            self.receive(subject, body, time.monotonic())
        return count or 0

    def receive(self, subject: str, body: Any, now: float) -> None:  # noqa: ARG002
        """Send the datagrams of a sip.send; other items are counted."""
        if self._fence and self._fence.receive(subject, body):
            return
        if subject != "sip.send" or not isinstance(body, list):
            self._bad_items += 1
            return
        for item in body:
            self._send(item)

    def stats(self) -> dict[str, float]:
        """Datagrams that left (some retried) or that the kernel refused, and items that were no datagram."""
        return {
            "sent": self._sent,
            "failed": self._failed,
            "retried": self._sender.retried,
            "bad_items": self._bad_items,
            **(self._fence.stats() if self._fence else {}),
        }

    def close(self) -> None:
        """Let go of edge-rx."""
        if self._fence:
            self._fence.close()

    def _send(self, item: Any) -> None:
        flow = flow_of(item, SENT)
        if flow is None or flow.transport != UDP.number:
            self._bad_items += 1
        elif self._sender.send(item[1], flow):
            self._sent += 1
        else:
            self._failed += 1


run = partial(run_actor, EdgeTx)

if __name__ == "__main__":
    run()
