"""What the proxy asks of the outside beyond sending: names to resolve, and call events for the journal."""

from typing import Any, NamedTuple

from switchboard.core.commands import Turn


class Lookup(NamedTuple):
    """A host to resolve as RFC 3263 §4 says; no port means that SRV records may choose it."""

    host: str
    port: int | None


class CallEvent(NamedTuple):
    """Something that happened to a call (docs/BUS.md, `call.happened`)."""

    kind: str
    call_id: str
    from_tag: str
    at: float
    details: tuple[Any, ...] = ()


class ProxyTurn(Turn):
    """A turn of the proxy. `at` is its moment by the wall clock (epoch s): bindings and records need it."""

    __slots__ = ("at", "events", "lookups")

    def __init__(self, now: float, *, at: float) -> None:
        Turn.__init__(self, now)
        self.at = at
        self.lookups: list[Lookup] = []
        self.events: list[CallEvent] = []
