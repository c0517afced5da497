"""What every response context of one router shares."""

from collections.abc import Callable

from switchboard.proxy.caps import Caps
from switchboard.proxy.commands import Lookup, ProxyTurn
from switchboard.proxy.forward import is_sendable
from switchboard.proxy.loop import Branches
from switchboard.proxy.targets import TargetPolicy
from switchboard.sip.respond import Hop
from switchboard.transaction.commands import Peer
from switchboard.transaction.layer import TransactionLayer

_new = tuple.__new__
OnResolved = Callable[[Hop | None, ProxyTurn], None]


class Environment:
    """The router's parts, made once.

    `facing`: our address towards an IP address ("" if unknown). `recurse`: whether a 3xx is followed.
    `max_forks`: targets of one request, redirections included. `caps`: what is refused at all.
    `incarnation` makes the tags of this process differ from its predecessors'.
    """

    __slots__ = (
        "_tags", "branches", "caps", "facing", "incarnation", "layer", "max_forks", "policy", "port",
        "recurse", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        layer: TransactionLayer,
        policy: TargetPolicy,
        branches: Branches,
        facing: Callable[[str], str],
        port: int,
        incarnation: str,
        recurse: bool = True,
        max_forks: int = 50,
        caps: Caps | None = None,
    ) -> None:
        self.layer = layer
        self.policy = policy
        self.branches = branches
        self.facing = facing
        self.port = port
        self.incarnation = incarnation
        self.recurse = recurse
        self.max_forks = max_forks
        self.caps = caps
        self.waiting: dict[Lookup, list[OnResolved]] = {}
        self._tags = 0

    def make_tag(self) -> str:
        """Return a To tag for a response of our own (§19.3)."""
        self._tags += 1
        return f"{self.incarnation}-{self._tags:x}"

    def peer_at(self, hop: Hop | None) -> Peer | None:
        """Return the peer at `hop` as we reach it; None if nobody can be there."""
        local = self.facing(hop[0]) if hop and is_sendable(hop) else ""
        return _new(Peer, (*hop, local)) if hop and local else None

    def ask(self, lookup: Lookup, then: OnResolved, turn: ProxyTurn) -> None:
        """Call `then` with the hop for `lookup`, which is no `literal_hop`, when the answer is here."""
        if lookup in self.waiting:
            self.waiting[lookup].append(then)
        else:
            self.waiting[lookup] = [then]
            turn.lookups.append(lookup)
