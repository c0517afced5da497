"""What every response context of one router shares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from switchboard.proxy.admission import Admission
from switchboard.proxy.commands import Lookup, ProxyTurn
from switchboard.proxy.forward import is_sendable, literal_hop
from switchboard.proxy.loop import Branches
from switchboard.proxy.targets import TargetPolicy
from switchboard.sip.respond import Hop
from switchboard.transaction.commands import Peer
from switchboard.transaction.layer import TransactionLayer

OnResolved = Callable[[Hop | None, ProxyTurn], None]


@dataclass(slots=True)
class Environment:
    """The router's parts, made once.

    `facing`: our address towards an IP address ("" if unknown). `recurse`: whether a 3xx is followed.
    `incarnation` makes the tags of this process differ from its predecessors'. `admission`: who may send
    requests; None: everybody.
    """

    layer: TransactionLayer
    policy: TargetPolicy
    branches: Branches
    facing: Callable[[str], str]
    port: int
    incarnation: str
    recurse: bool = True
    admission: Admission | None = None
    waiting: dict[Lookup, list[OnResolved]] = field(default_factory=dict)
    _tags: "count[int]" = field(default_factory=lambda: count(1))

    def make_tag(self) -> str:
        """Return a To tag for a response of our own (§19.3)."""
        return f"{self.incarnation}-{next(self._tags):x}"

    def peer_at(self, hop: Hop | None) -> Peer | None:
        """Return the peer at `hop` as we reach it; None if nobody can be there."""
        local = self.facing(hop[0]) if hop and is_sendable(hop) else ""
        return Peer(*hop, local) if hop and local else None

    def resolve(self, lookup: Lookup, then: OnResolved, turn: ProxyTurn) -> None:
        """Call `then` with the hop for `lookup`: at once for an IP address, else when the answer is here."""
        hop = literal_hop(lookup)
        if hop:
            then(hop, turn)
        elif lookup in self.waiting:
            self.waiting[lookup].append(then)
        else:
            self.waiting[lookup] = [then]
            turn.lookups.append(lookup)
