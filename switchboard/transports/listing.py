"""What people are told of the connections of an edge-stream: one of them, and a page of those that a search finds."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from switchboard.sip.flow import NAMES
from switchboard.transports.connection import Connection

Description = dict[str, Any]


def describe(connection: Connection, worker: str, now: float, now_at: float) -> Description:
    """Return a connection of `worker` as a map. `now`: monotonic s, `now_at`: epoch s."""
    return {
        "user": connection.user,
        "transport": NAMES[connection.transport],
        "host": connection.flow.host,
        "port": connection.flow.port,
        "cipher": getattr(connection.channel, "cipher", ""),
        "since_s": round(now_at - connection.since_at, 1),
        "idle_s": round(now - connection.heard_at, 1),
        "stranger": connection.is_stranger,
        "worker": worker,
    }


def page(connections: Iterable[Connection], text: str, skip: int, limit: int) -> tuple[list[Connection], int]:
    """Return `limit` of the connections that `text` finds ("": all), behind the first `skip`; and how many it finds.

    It finds a part of the user's name or of the address (HOST or HOST:PORT), or a transport, in any case.
    """
    found = list(filter(_matcher(text), connections))
    return list(islice(found, skip, skip + limit)), len(found)


def _matcher(text: str) -> Callable[[Connection], bool]:
    wanted = text.strip().lower()
    if not wanted:
        return lambda _: True
    transports = {number for number, name in NAMES.items() if name.lower() == wanted}

    def matches(connection: Connection) -> bool:
        flow = connection.flow
        address = f"{flow.host}:{flow.port}" if ":" in wanted else flow.host
        return flow.transport in transports or wanted in address or wanted in connection.user.lower()

    return matches
