"""The two ends of a router's turn: datagrams into the core, and what it decided into the outboxes."""

from collections.abc import Sequence
from typing import Any

from switchboard.bus.frames import RECEIVED, flow_of
from switchboard.core.commands import ProxyTurn
from switchboard.core.proxy import Proxy
from switchboard.transports.sender import Sender


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


def hand_out(turn: ProxyTurn, sender: Sender) -> None:
    """Give `sender` what `turn` sends: requests first, for their answers are waited for."""
    for to, raw in turn.requests:
        sender.put((to.pack(), raw))
    for to, raw, reader in turn.responses:
        sender.put((to.pack(), raw, *reader))
