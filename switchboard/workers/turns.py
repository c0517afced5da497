"""The two ends of a router's turn: datagrams into the core, and what it decided into the outboxes."""

from collections.abc import Sequence
from typing import Any

from switchboard.bus.items import RECEIVED, flow_of
from switchboard.bus.outbox import Outbox
from switchboard.core.proxy import Proxy
from switchboard.core.proxy_commands import ProxyTurn


def take_in(proxy: Proxy, items: Sequence[Any], turn: ProxyTurn) -> list[Any]:
    """Give `proxy` the datagrams among the items of a `sip.received`; return what is none."""
    others = []
    for item in items:
        flow = flow_of(item, RECEIVED)
        if flow is None:
            others.append(item)
        else:
            proxy.receive(item[2], item[1], flow, turn)
    return others


def hand_out(turn: ProxyTurn, requests: Outbox, responses: Outbox) -> None:
    """Put what `turn` sends into the outboxes."""
    if turn.requests:
        requests.put_all([[to.pack(), raw] for to, raw in turn.requests])
    if turn.responses:
        responses.put_all([[to.pack(), raw, *reader] for to, raw, reader in turn.responses])
