"""What edge-rx knows of how much its peers have to do; its entrance refuses accordingly."""

import time
from collections.abc import Sequence

from switchboard import codec
from switchboard.bus.outbox import Outbox
from switchboard.core.overload import Overload
from switchboard.edge.admission import Entrance
from switchboard.edge.backlog import Backlog

KEPT = 10_000
"""Items that edge-rx keeps for a peer: what calls that were begun have yet to say is not to be lost."""
FULL = 1_000
"""Items beyond which nothing new is taken on."""
LOOK_EVERY_S = 0.005
STAMP_EVERY_S = 0.02
STAMP_ITEMS = 64
"""So many are stamped sooner: a burst has to be seen while it comes."""


class Load:
    """Of one peer: stamps what `outbox` has for it, and hears when that was taken."""

    def __init__(self, outbox: Outbox, overload: Overload) -> None:
        self._outbox = outbox
        self._overload = overload
        self._backlog = Backlog()
        self._has_heard = False
        self._stamped_at = 0.0
        self._stamped = 0

    @property
    def name(self) -> str:
        """NAME.INSTANCE of the peer."""
        return self._outbox.peer.name

    @property
    def lag_s(self) -> float:
        """How late what goes to it will be."""
        return self._backlog.delay_s

    def look(self, now: float) -> None:
        """Tell the entrance how it is now; measured is only what the peer has said last."""
        self._overload.lag_s = self._backlog.delay_s
        if self._has_heard:
            self._overload.note(self._overload.lag_s, now)
            self._has_heard = False
        self._overload.is_full = self._outbox.waiting > FULL

    def stamp(self, at: float) -> None:
        """Say when, behind what waits for it."""
        waiting = self._outbox.waiting
        if not waiting:
            return
        items = self._outbox.sent + self._outbox.dropped + waiting + 1
        is_early = 0.0 <= at - self._stamped_at < STAMP_EVERY_S
        if is_early and items - self._stamped < STAMP_ITEMS:
            return
        self._stamped_at, self._stamped = at, items
        self._outbox.put(codec.pack(at))
        self._backlog.stamp(at, items)

    def take(self, stamp: float) -> None:
        """The peer has taken what came before the stamp."""
        self._backlog.take(stamp, time.time())
        self._has_heard = True


class Loads:
    """All of them; `outboxes`: one a router by number, and the registrar's."""

    def __init__(self, outboxes: Sequence[Outbox], entrance: Entrance) -> None:
        numbers = [*range(len(outboxes) - 1), -1]
        self._loads = [
            Load(outbox, entrance.overload(number)) for number, outbox in zip(numbers, outboxes, strict=True)
        ]
        self._looked_at = 0.0
        self._by_name = {load.name: load for load in self._loads}

    def look(self, now: float) -> None:
        """Before more is taken in."""
        if 0.0 <= now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        for load in self._loads:
            load.look(now)

    def stamp(self) -> None:
        """After it."""
        at = time.time()
        for load in self._loads:
            load.stamp(at)

    def take(self, name: str, stamp: float) -> bool:
        """That peer has taken what came before the stamp; False if there is none of this name."""
        load = self._by_name.get(name)
        if load is not None:
            load.take(stamp)
        return load is not None

    def stats(self) -> dict[str, float]:
        """How late each will be."""
        return {f"{load.name}.lag_ms": round(load.lag_s * 1e3, 1) for load in self._loads}
