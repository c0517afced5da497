"""Ingress: edge-rx scans each datagram, asks the filter, and hands it to the worker that handles it."""

import socket
from collections.abc import Callable, Sequence
from typing import Final

from switchboard.bounded import TokenBucket
from switchboard.bus.frames import pack_received, pack_sent
from switchboard.bus.outbox import PackedOutbox
from switchboard.core.refusal import answer_statelessly, try_later
from switchboard.edge.filter import EdgeFilter, Refused
from switchboard.sip.advertised import seen_address
from switchboard.sip.dispatch import (
    PONG,
    DatagramKind,
    Dispatcher,
    classify,
    looks_like_request,
    strip_empty_lines,
)
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop
from switchboard.sip.scan import scan
from switchboard.sip.stun import answer_to
from switchboard.transports.udp_datagrams import receive

DATAGRAMS_A_ROUND: Final = 64
UNAVAILABLE = 503
STUN_A_SECOND: Final = 2000
"""Answers to all sources together: 50,000 phones that ask every 25 s."""


Answers = Callable[[Message, int, Hop, Sequence[tuple[str, str]]], tuple[bytes, Hop] | None]
"""Makes the response to a request from a hop, with a status and more header fields; None: there is to be none."""


class IngressInPython:
    """The reference of `Ingress`. `outboxes`: one a router by number, those of the registrars from the last to the
    first, edge-tx's.

    `form`: makes the answers.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        edge_filter: EdgeFilter,
        outboxes: Sequence[PackedOutbox],
        form: Answers = answer_statelessly,
    ) -> None:
        self._form = form
        self._advertised = edge_filter.policy.advertised
        self._edge_filter = edge_filter
        *self._peers, self._edge_tx = outboxes
        self._dispatcher = dispatcher
        self._taken = dict.fromkeys(DatagramKind, 0)
        self._refused = self._dropped = self._withheld = self._stun_withheld = 0
        self._stun = TokenBucket(STUN_A_SECOND, STUN_A_SECOND, 0.0)

    def drain(self, sock: socket.socket, now: float) -> int:
        """Take what waits, at most DATAGRAMS_A_ROUND, and return how many that were. OSError."""
        for count in range(DATAGRAMS_A_ROUND):
            datagram = receive(sock)
            if datagram is None:
                return count
            data, flow = datagram
            self.take(data, self._as_seen(flow), now)
        return DATAGRAMS_A_ROUND

    def _as_seen(self, flow: Flow) -> Flow:
        local = seen_address(self._advertised, flow.local, flow.host)
        return flow if local == flow.local else flow._replace(local=local)

    def take(self, data: bytes, flow: Flow, now: float) -> None:
        """Put the datagram (untrusted) into the outbox of its peer, or count it."""
        if self._edge_filter.hears(*flow.hop, now):
            self.sort(data, flow, now)

    def sort(self, data: bytes, flow: Flow, now: float) -> None:
        """The same, once its source may be heard."""
        kind = classify(data)
        self._taken[kind] += 1
        if kind is DatagramKind.MESSAGE:
            self._hand_on(strip_empty_lines(data), flow, now)
        elif kind is DatagramKind.PING:
            self._edge_tx.put(pack_sent(flow.pack(), PONG))
        elif kind is DatagramKind.STUN:
            self._answer_stun(data, flow, now)

    def send_away(self, request: Message, flow: Flow) -> None:
        """Tell the sender of a well-formed request that its peer has too much to do."""
        self._edge_filter.send_away()
        self._answer(request, UNAVAILABLE, flow, [try_later(request)])

    def stats(self) -> dict[str, float]:
        """Datagrams by kind; of the messages, broken requests (refused), what else broke (dropped).

        Of the filter's answers those that would have been longer than their requests (answers_withheld); of the
        answers to STUN those beyond STUN_A_SECOND (stun_withheld).
        """
        kinds = {f"datagrams.{kind.name.lower()}": count for kind, count in self._taken.items()}
        counters = {"refused": self._refused, "dropped": self._dropped, "answers_withheld": self._withheld}
        return {**kinds, **counters, "stun_withheld": self._stun_withheld}

    def _answer_stun(self, data: bytes, flow: Flow, now: float) -> None:
        """Tell a phone where it is seen (RFC 5626 §4.4.2)."""
        answer = answer_to(data, *flow.hop)
        if answer is None:
            return
        if self._stun.take(now):
            self._edge_tx.put(pack_sent(flow.pack(), answer))
        else:
            self._stun_withheld += 1

    def _hand_on(self, raw: bytes, flow: Flow, now: float) -> None:
        try:
            message = Message(raw, scan(raw))
            self._edge_filter.check(message, flow.host, now)
            peer = self._dispatcher.target(raw, message.index.tobytes())
            is_admitted = self._edge_filter.admits(message, peer, flow.host, now)
        except ParseError:
            self._hand_on_unscanned(raw, flow)
        except Refused as refused:
            if refused.status:
                self._answer(message, refused.status, flow)
        else:
            if is_admitted:
                self._peers[peer].put(pack_received(flow.pack(), message.index.tobytes(), raw))
            else:
                self.send_away(message, flow)

    def _answer(
        self,
        request: Message,
        status: int,
        flow: Flow,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Tell the sender of a request that goes no further."""
        answer = self._form(request, status, flow.hop, headers)
        if answer is None:
            self._withheld += 1
            return
        response, hop = answer
        self._edge_tx.put(pack_sent(flow.towards(hop).pack(), response))

    def _hand_on_unscanned(self, raw: bytes, flow: Flow) -> None:
        """To the first router, which answers 400, if it was meant as a request."""
        if looks_like_request(raw):
            self._refused += 1
            self._peers[min(self._dispatcher.routers)].put(pack_received(flow.pack(), b"", raw))
        else:
            self._dropped += 1


try:
    from switchboard._native.wire import Ingress as Ingress
except ImportError:
    Ingress = IngressInPython  # type: ignore[assignment, misc]
