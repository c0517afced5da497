"""How edge-rx carries out what its arbiter decides (`edge/arbiter.py`), and how the edges' other workers hear of it.

With several edges the first one decides. Nothing is taken over before all workers of all edges that send, or tell a
router that it may act, know of it; the edge-rx of another edge has it in a file of its own host by then.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, Final

import structlog

from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer
from switchboard.edge.arbiter import TICK_S, Arbiter, Steps, read_taken
from switchboard.edge.terms import FILE, Fence, Term, Terms, load_terms, pack_terms, read_terms, save_terms
from switchboard.settings.hosts import EDGE_STREAM
from switchboard.settings.model import Settings
from switchboard.settings.site import edge_streams, edges, endpoints_of, standbys_of

TERMS: Final = "routers.terms"
KNOWN: Final = "routers.terms_known"
Lead = Callable[[Mapping[int, int]], None]
"""Is told of the routers whose calls are at another one now, and of these."""


class ArbiterDesk:
    """Has a sign of life of each router that takes part. `routers`: the peers by number."""

    def __init__(
        self, settings: Settings, context: BusContext, standbys: Mapping[int, int], routers: Sequence[Peer]
    ) -> None:
        self._path = settings.data_dir / FILE
        self._routers = routers
        inbox, count = endpoints_of(settings).inbox, len(edges(settings))
        owners = [
            *(("edge-rx", number) for number in range(1, count)),
            *(("edge-tx", number) for number in range(count)),
            *((EDGE_STREAM, number) for number in range(edge_streams(settings))),
        ]
        self._others = {f"{name}.{number}": Peer(context, inbox(name, number)) for name, number in owners}
        now = time.monotonic()
        terms = load_terms(self._path, standbys)
        self._arbiter = Arbiter(terms, standbys, self._others, settings.router_standby_after_s, now)
        self._is_unsaved = False
        self.due_at = now

    @property
    def led(self) -> Mapping[int, int]:
        """Routers whose calls are at another one, and these."""
        return self._arbiter.led

    def receive(self, subject: str, body: Any) -> bool:
        """Take a cast; False if it is none of these."""
        match subject, body:
            case "router.alive", [int(router), int(term), float(stamp), taken]:
                found = read_taken(taken)
                if found is None or not 0 <= router < len(self._routers):
                    return False
                told = self._arbiter.heard(router, term, found)
                if told is not None:
                    self._routers[router].send("router.term", [told.term, stamp])
                return True
            case "routers.terms_known", [str(sender), int(version)]:
                self._arbiter.known(sender, version)
                return True
        return False

    def handle_timer(self, now: float, lead: Lead) -> None:
        """Decide, if it is time, and tell who has to know."""
        if now < self.due_at:
            return
        self.due_at = now + TICK_S
        steps = self._arbiter.tick(now, time.time())
        for line in steps.lines:
            structlog.get_logger().warning(line)
        if steps.led:
            lead(self.led)
        self._tell(steps)

    def notes(self) -> list[str]:
        """For people."""
        unsaved = (
            [f"{self._path} cannot be written: no router takes over from another"] if self._is_unsaved else []
        )
        return [*self._arbiter.notes(), *unsaved]

    def stats(self) -> dict[str, float]:
        """How many routers' calls are at another one."""
        return self._arbiter.stats()

    def close(self) -> None:
        """Let go of those who are told of terms."""
        for peer in self._others.values():
            peer.close()

    def _tell(self, steps: Steps) -> None:
        if (steps.are_new or self._is_unsaved) and not self._save():
            return
        body = [self._arbiter.version, pack_terms(self._arbiter.terms), sorted(self.led)]
        for name in self._arbiter.unaware:
            self._others[name].send(TERMS, body)
        for number, standby in steps.take_over:
            self._routers[standby].send("calls.take_over", [number, self._arbiter.terms[number].term])

    def _save(self) -> bool:
        """A worker of the edge that is started again has to find the terms before others are told."""
        try:
            save_terms(self._path, self._arbiter.terms)
        except OSError:
            self._is_unsaved = True
            return False
        self._is_unsaved = False
        return True


class FollowingDesk:
    """That of another edge's edge-rx: it knows what the first one has decided, and answers the routers."""

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        standbys: Mapping[int, int],
        routers: Sequence[Peer],
        owner: str,
    ) -> None:
        self._path = settings.data_dir / FILE
        self._routers, self._owner = routers, owner
        self._terms = load_terms(self._path, standbys)
        self.led: Mapping[int, int] = {
            number: each.holder for number, each in self._terms.items() if each.holder != number
        }
        self._first = Peer(context, endpoints_of(settings).inbox("edge-rx"))
        self._version = 0
        self.due_at = time.monotonic()

    def receive(self, subject: str, body: Any) -> bool:
        """Take a cast; False if it is none of these."""
        match subject, body:
            case "router.alive", [int(router), int(_), float(stamp), _] if 0 <= router < len(self._routers):
                term = self._terms.get(router, Term(0, router)).term
                self._routers[router].send("router.term", [term, stamp])
                return True
            case "routers.terms", [int(version), list(packed), list(led)]:
                terms = read_terms(packed)
                if terms is not None:
                    self._take(version, terms, led)
                    return True
        return False

    def handle_timer(self, now: float, lead: Lead) -> None:
        """Do what was decided, and say so; say once, as this process begins, that it knows nothing but the file."""
        if now >= self.due_at:
            lead(self.led)
            self.due_at = inf if self._first.send(KNOWN, [self._owner, self._version]) else now + TICK_S

    def notes(self) -> list[str]:
        """The first edge says it."""
        return []

    def stats(self) -> dict[str, float]:
        """Routers whose calls are at another one."""
        return {"taken_over": sum(each.holder != number for number, each in self._terms.items())}

    def close(self) -> None:
        """Let go of the first edge."""
        self._first.close()

    def _take(self, version: int, terms: Terms, led: Sequence[object]) -> None:
        try:
            save_terms(self._path, terms)
        except OSError:
            return  # it is told again
        self._terms, self._version = terms, version
        self.led = {number: each.holder for number, each in terms.items() if number in led}
        self.due_at = -inf


def desk_for(
    settings: Settings, context: BusContext, instance: int, routers: Sequence[Peer]
) -> ArbiterDesk | FollowingDesk | None:
    """That of an edge-rx, if a router may be declared dead."""
    standbys = standbys_of(settings)
    if not standbys:
        return None
    if instance:
        return FollowingDesk(settings, context, standbys, routers, f"edge-rx.{instance}")
    return ArbiterDesk(settings, context, standbys, routers)


class FenceDesk:
    """Of a worker that sends for routers. `owner`: NAME.INSTANCE; `lead` as above."""

    def __init__(self, settings: Settings, context: BusContext, owner: str, lead: Lead | None = None) -> None:
        self._fence = Fence(load_terms(settings.data_dir / FILE, standbys_of(settings)))
        self._owner, self._lead = owner, lead
        self._edge_rx = Peer(context, endpoints_of(settings).inbox("edge-rx"))
        self._version = 0
        self.due_at = -inf

    def pass_on(self, frame: bytes) -> bytes | None:
        """Return the plain frame of a labelled one, b"" if it is fenced; None: it bears no label."""
        return self._fence.pass_on(frame)

    def receive(self, subject: str, body: Any) -> bool:
        """Take the terms; False if it is none."""
        match subject, body:
            case "routers.terms", [int(version), list(packed), list(led)]:
                terms = read_terms(packed)
                if terms is None:
                    return False
                self._fence.take(terms)
                if self._lead is not None:
                    self._lead({number: each.holder for number, each in terms.items() if number in led})
                self._version = version
                self._say()
                return True
        return False

    def handle_timer(self) -> None:
        """Say once, as this process begins, that it knows nothing but the file."""
        if self.due_at < inf and self._say():
            self.due_at = inf

    def stats(self) -> dict[str, float]:
        """Items of routers that were declared dead."""
        return {"fenced": self._fence.fenced}

    def close(self) -> None:
        """Let go of edge-rx."""
        self._edge_rx.close()

    def _say(self) -> bool:
        return self._edge_rx.send(KNOWN, [self._owner, self._version])


def fence_for(
    settings: Settings, context: BusContext, owner: str, lead: Lead | None = None
) -> FenceDesk | None:
    """One, if routers have terms."""
    return FenceDesk(settings, context, owner, lead) if standbys_of(settings) else None
