"""The two ends of a router's turn: datagrams into the core, and what it decided into the outboxes."""

from collections.abc import Sequence
from typing import Any

from switchboard.bus.outbox import Outbox
from switchboard.core.commands import Peer
from switchboard.core.proxy import Proxy
from switchboard.core.proxy_commands import ProxyTurn

_DATAGRAM = (str, int, str, bytes, bytes)
_new = tuple.__new__


def take_in(proxy: Proxy, items: Sequence[Any], turn: ProxyTurn) -> list[Any]:
    """Give `proxy` the datagrams among the items of a `sip.received`; return what is none."""
    others = []
    for item in items:
        if type(item) is list and tuple(map(type, item)) == _DATAGRAM:
            host, port, local, index, raw = item
            proxy.receive(raw, index, _new(Peer, (host, port, local)), turn)
        else:
            others.append(item)
    return others


def hand_out(turn: ProxyTurn, requests: Outbox, responses: Outbox) -> None:
    """Put what `turn` sends into the outboxes."""
    if turn.requests:
        requests.put_all([[*to, raw] for to, raw in turn.requests])
    if turn.responses:
        responses.put_all([[*to, raw, *reader] for to, raw, reader in turn.responses])
