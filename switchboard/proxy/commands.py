"""What the proxy asks of the outside beyond sending: names to resolve, and call events for the journal."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from switchboard.transaction.commands import Turn


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


@dataclass(slots=True, kw_only=True)
class ProxyTurn(Turn):
    """A turn of the proxy. `at` is its moment by the wall clock (epoch s): bindings and records need it."""

    at: float
    lookups: list[Lookup] = field(default_factory=list)
    events: list[CallEvent] = field(default_factory=list)
