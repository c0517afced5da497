"""How edge-rx carries out what its arbiter decides (`edge/arbiter.py`), and how the edge's other workers hear of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, Final

import structlog

from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer
from switchboard.edge.arbiter import TICK_S, Arbiter, Steps, read_taken
from switchboard.edge.terms import FILE, Fence, load_terms, pack_terms, read_terms, save_terms
from switchboard.settings.hosts import EDGE_STREAM
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, standbys_of

TERMS: Final = "routers.terms"
KNOWN: Final = "routers.terms_known"
Lead = Callable[[Mapping[int, int]], None]
"""Is told of the routers whose calls are at another one now, and of these."""


class ArbiterDesk:
    """Has a beat of each router that takes part. `routers`: the peers by number; `edge_tx`: that worker."""

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        standbys: Mapping[int, int],
        routers: Sequence[Peer],
        edge_tx: Peer,
    ) -> None:
        self._path = settings.data_dir / FILE
        self._routers = routers
        inbox = endpoints_of(settings).inbox
        streams = [Peer(context, inbox(EDGE_STREAM, number)) for number in range(settings.edge_streams)]
        self._senders = {each.name: each for each in (edge_tx, *streams)}
        self._streams = streams
        now = time.monotonic()
        terms = load_terms(self._path, standbys)
        self._arbiter = Arbiter(terms, standbys, self._senders, settings.router_standby_after_s, now)
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
        """Let go of the edge-streams."""
        for peer in self._streams:
            peer.close()

    def _tell(self, steps: Steps) -> None:
        if (steps.are_new or self._is_unsaved) and not self._save():
            return
        body = [self._arbiter.version, pack_terms(self._arbiter.terms), sorted(self.led)]
        for name in self._arbiter.unaware:
            self._senders[name].send(TERMS, body)
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


def arbiter_for(
    settings: Settings, context: BusContext, routers: Sequence[Peer], edge_tx: Peer
) -> ArbiterDesk | None:
    """One, if a router may be declared dead."""
    standbys = standbys_of(settings)
    return ArbiterDesk(settings, context, standbys, routers, edge_tx) if standbys else None


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
