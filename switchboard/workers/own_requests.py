"""How a worker has routers send requests of its own: its side, and the router's (docs/BUS.md, `request.wanted`).

The worker chooses the router by the Call-ID, so that requests of one dialog leave in their order, and another one while
that is away. Who is not answered within 64 · T1, or a little more, has to decide anew: its router may have died.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from zlib import crc32

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import Outbox
from switchboard.bus.tap import call_id_on_wire
from switchboard.core.own_requests import Answer, Wanted

WORKERS: Final = ("presence", "trunks")
"""Who may ask; each has one instance."""
ANSWERS_KEPT: Final = 10_000
REQUESTS_KEPT: Final = 5_000
GRACE_S: Final = 3.0
"""A router tells after 64 · T1 that nobody has answered; so long its word may take."""


class Requester:
    """The worker's side: what it has asked for. `outboxes`: one a router, for the actor to flush.

    `lifetime_s`: 64 · T1. `unheard` counts requests of which no router has said what became of them.
    """

    def __init__(
        self, context: BusContext, endpoints: Endpoints, worker: str, routers: int, lifetime_s: float
    ) -> None:
        self.outboxes = [
            Outbox(context, endpoints.inbox("router", each), "request.wanted", REQUESTS_KEPT)
            for each in range(routers)
        ]
        self.unheard = 0
        self._worker = worker
        self._patience_s = lifetime_s + GRACE_S
        self._due: dict[bytes, tuple[float, int]] = {}
        """When a token's patience ends, and which router was asked."""

    def ask(self, token: bytes, raw: bytes, now: float, *, flow: bytes = b"", user: str = "") -> None:
        """Have `raw` sent, as `Wanted` says. A token that waits already is waited for anew."""
        router = self._router(raw)
        self._due.pop(token, None)
        self._due[token] = now + self._patience_s, router
        self.outboxes[router].put([self._worker, token, raw, flow, user])

    def take(self, body: object) -> list[Answer]:
        """Return the answers in the body of `request.answered` that are waited for."""
        found = []
        for item in body if isinstance(body, list) else ():
            match item:
                case [bytes(token), int(status), bytes(raw), bytes(flow)]:
                    if self._due.pop(token, None) is not None:
                        found.append(Answer(token, status, raw, flow))
        return found

    def next_deadline(self) -> float | None:
        """When `take_unheard` may have something."""
        return next((due for due, _ in self._due.values()), None)

    def take_unheard(self, now: float) -> list[bytes]:
        """Return the tokens of which nothing was heard in time; they are not waited for any more."""
        late = []
        for token, (due, _) in self._due.items():
            if due > now:
                break
            late.append(token)
        return self._give_up(late)

    def take_lost(self, router: object) -> list[bytes]:
        """Return the tokens of what that router was asked for, as another process does its work now."""
        return self._give_up([token for token, (_, asked) in self._due.items() if asked == router])

    def _give_up(self, tokens: list[bytes]) -> list[bytes]:
        for token in tokens:
            del self._due[token]
        self.unheard += len(tokens)
        return tokens

    def stats(self) -> dict[str, float]:
        """Requests that wait for an answer, and that had none."""
        return {"requests_waiting": len(self._due), "requests_unheard": self.unheard}

    def _router(self, raw: bytes) -> int:
        count = len(self.outboxes)
        first = crc32(call_id_on_wire(raw)) % count
        in_turn = [(first + each) % count for each in range(count)]
        return next((each for each in in_turn if self.outboxes[each].peer.takes_frames), first)


class AnswerBoxes:
    """The router's side: an outbox for each worker that has asked, which it puts into `outboxes`."""

    def __init__(self, context: BusContext, endpoints: Endpoints, outboxes: list[Outbox]) -> None:
        self._context = context
        self._endpoints = endpoints
        self._outboxes = outboxes
        self._boxes: dict[str, Outbox] = {}

    def announce(self, router: int, workers: Iterable[str]) -> None:
        """Tell the workers that another process does the work of this router: what it was asked for is lost."""
        for worker in workers:
            box = Outbox(self._context, self._endpoints.inbox(worker), "router.restarted", 1)
            box.put(router)
            self._outboxes.append(box)

    def read(self, items: Iterable[Any]) -> tuple[list[Wanted], int]:
        """Return the requests in the body of `request.wanted`, and how many items are none."""
        found, bad = [], 0
        for item in items:
            match item:
                case [str(worker), bytes(token), bytes(raw), bytes(flow), str(user)] if self._knows(worker):
                    found.append(Wanted(worker, token, raw, flow, user))
                case _:
                    bad += 1
        return found, bad

    def put(self, answers: Mapping[str, Iterable[Answer]]) -> None:
        """Each worker is to hear these at the next flush."""
        for worker, each in answers.items():
            self._boxes[worker].put_all(map(list, each))

    def _knows(self, worker: str) -> bool:
        if worker not in self._boxes:
            if worker not in WORKERS or not self._endpoints.knows(f"{worker}.0"):
                return False
            endpoint = self._endpoints.inbox(worker)
            box = self._boxes[worker] = Outbox(self._context, endpoint, "request.answered", ANSWERS_KEPT)
            self._outboxes.append(box)
        return True
