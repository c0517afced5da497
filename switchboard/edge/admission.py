"""Admission control: which new requests go on while their receivers are overloaded. Work that was begun always does.

Theory. edge-rx has to know the delay of each receiver without asking for each message. It puts a *stamp* into the
stream of items to a receiver, at most every STAMP_EVERY_S or STAMP_ITEMS items. The receiver returns the stamp when
it has taken the items before it. From two returned stamps edge-rx learns the receiver's rate, provided that the
receiver had work all the time. The items that are still out, divided by the rate, are the delay of a message of now.
The overload control of the receiver (`core/overload.py`) decides with this delay.

A repeated request gets the same verdict: an admitted call is not refused because its INVITE was lost or late.
"""

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic as _moment

from switchboard import codec
from switchboard.bus.outbox import Outbox
from switchboard.core.overload import LASTS_S, Overload, Verdicts, stamp_of

RATE_MEMORY_S = 0.2
"""Over about the items that a peer takes within so long its rate is averaged.

Over items, not over time: a machine that was busy with something else for a moment made the few items of that moment
slow, and tells nothing of those that come."""
STAMPS_KEPT = 1_000
AWAY_S = 1.0
"""A peer that was silent for longer was away instead of working: that shows nothing about its rate."""
_SHORTEST_S = 1e-4


class Backlog:
    """Of one peer; its rate is learnt while it always has something to do.

    Instants are those of the stamps (monotonic s); items are counted from the beginning.
    """

    def __init__(self) -> None:
        self._stamps: deque[tuple[float, int]] = deque(maxlen=STAMPS_KEPT)
        self._taken = 0
        self._told_at = 0.0
        self._was_busy = False
        self._rate = 0.0

    def stamp(self, at: float, items: int) -> None:
        """This number of items was handed on up to `at`."""
        self._stamps.append((at, items))

    def take(self, stamp: float, at: float) -> None:
        """The peer has, `at` this moment, taken all before that stamp. Those before our time tell nothing."""
        taken, worked_s = self._taken, at - self._told_at
        while self._stamps and self._stamps[0][0] <= stamp:
            taken = self._stamps.popleft()[1]
        if taken > self._taken and self._was_busy:
            self._learn(taken - self._taken, max(worked_s, _SHORTEST_S))
        self._taken, self._told_at, self._was_busy = max(self._taken, taken), at, bool(self._stamps)

    @property
    def delay_s(self) -> float:
        """How long what was stamped last will have waited when its turn comes; 0 if all is taken."""
        if not self._stamps or not self._rate:
            return 0.0
        return (self._stamps[-1][1] - self._taken) / self._rate

    def _learn(self, items: int, work_s: float) -> None:
        if self._rate and work_s > AWAY_S:
            return
        known = RATE_MEMORY_S * self._rate  # items
        weight = min(1.0, items / known) if known else 1.0
        item_s = weight * work_s / items + (1.0 - weight) / (self._rate or 1.0)
        self._rate = 1.0 / item_s


class AdmissionControl:
    """`is_user` tells whether a user registered from an address; a verdict holds for `lasts_s` at least.

    Peers go by number; `now` is monotonic.
    """

    def __init__(self, is_user: Callable[[str], bool], lasts_s: float = LASTS_S) -> None:
        self._is_user = is_user
        self._overloads: dict[int, Overload] = {}
        self._verdicts = Verdicts(lasts_s)

    def overload(self, peer: int) -> Overload:
        """How that peer is; to be kept up to date."""
        return self._overloads.setdefault(peer, Overload())

    def admits(self, peer: int, transaction: int, host: str, now: float) -> bool:
        """Whether the new request from `host`, which is of that `transaction_of`, may go to `peer`."""
        verdict = self._verdicts.find(transaction, now)
        if verdict is None:
            verdict = not self._refuses(peer, host, now)
            self._verdicts.add(transaction, verdict, now)
        return verdict

    def _refuses(self, peer: int, host: str, now: float) -> bool:
        overload = self._overloads.get(peer)
        if overload is None:
            return False
        return overload.refuses(now, overload.is_pressing(now) and self._is_user(host))


KEPT = 10_000
"""Items that edge-rx keeps for a peer: what calls that were begun have yet to say is not to be lost."""
FULL = 5_000
"""Items beyond which nothing new is taken on: what comes within the half second in which no phone repeats itself, at
10,000 items a second."""
LOOK_EVERY_S = 0.005
STAMP_EVERY_S = 0.04
STAMP_ITEMS = 256
"""This number of items gets a stamp sooner: a burst has to be noticed early. Each stamp costs both ends a frame."""


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
        """Tell the admission control how it is now; measured is only what the peer has said last."""
        self._overload.lag_s = self._backlog.delay_s
        if self._has_heard:
            self._overload.note(self._overload.lag_s, now)
            self._has_heard = False
        self._overload.is_full = self._outbox.waiting > FULL

    def stamp(self, at: float) -> None:
        """Say when, behind what waits for it. `at`: as `stamp_of` makes it."""
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
        self._backlog.take(stamp, _moment())
        self._has_heard = True


class Loads:
    """All of them; `outboxes`: one a router by number, and those of the registrars from the last to the first.

    `edge`: the number of this one.
    """

    def __init__(
        self,
        outboxes: Sequence[Outbox],
        admission_control: AdmissionControl,
        edge: int = 0,
        registrars: int = 1,
    ) -> None:
        self._edge = edge
        numbers = [*range(len(outboxes) - registrars), *range(-registrars, 0)]
        self._loads = [
            Load(outbox, admission_control.overload(number))
            for number, outbox in zip(numbers, outboxes, strict=True)
        ]
        self._looked_at = self._stamped_at = 0.0
        self._taken = 0  # since
        self._by_name = {load.name: load for load in self._loads}

    def look(self, now: float) -> None:
        """Before more is taken in."""
        if 0.0 <= now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        for load in self._loads:
            load.look(now)

    def stamp(self, taken: int) -> None:
        """After it, unless so little was `taken` that this says no more than a moment ago."""
        at = stamp_of(self._edge, _moment())
        self._taken += taken
        if self._taken < STAMP_ITEMS and 0.0 <= at - self._stamped_at < LOOK_EVERY_S:
            return
        self._taken, self._stamped_at = 0, at
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
