"""Requests on their way from a router to the presence worker, and what is taken of them (docs/BUS.md, `sip.delegated`).

Theory. Over TCP a phone sends nothing again, so no request may be lost with the worker, or with the router. The router
keeps each until the worker has said that it was answered, in its log, too, so that its successor hands it over again.
Behind the requests stands a mark, the number of the last; the worker gives it back behind its answers, with the name of
its life. In another life it hears again what is kept. What it hears twice it knows by the transaction, or by what it
has on the disk.
"""

import struct
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Peer
from switchboard.codec import pack, unpack
from switchboard.core.transaction_log import Store
from switchboard.presence.reception import DELEGATED

KEPT: Final = 5_000
REQUEST: Final = b"P"
"""So begin the keys of requests in a router's log."""
_KEY: Final = struct.Struct(">cQ")
MARK: Final = "delegated.mark"
TAKEN: Final = "delegated.taken"


class Delegating:
    """The router's side. `outbox`: for the actor to flush, before `mark`. `log`: what a successor has of this.

    `is_over`: what a predecessor left in it is of no use, since its phones have given up.
    """

    def __init__(
        self, context: BusContext, endpoint: Endpoint, router: int, log: Store, is_over: bool = False
    ) -> None:
        self.outbox = Outbox(context, endpoint, DELEGATED, KEPT)
        self._router = router
        self._log = log
        self._kept: deque[tuple[int, list[object]]] = deque()
        self._last = self._marked = 0
        self._life = ""
        for key in sorted(key for key in log if key[:1] == REQUEST):
            if is_over:
                log.erase(key)
            else:
                self._last = _KEY.unpack(key)[1]
                self._kept.append((self._last, unpack(log[key])))
        self.outbox.put_all(request for _, request in self._kept)

    @property
    def waiting(self) -> int:
        """Requests of which the worker has not said that they are answered."""
        return len(self._kept)

    def put(self, requests: Iterable[list[object]]) -> None:
        """Hand these requests over at the next flush; the log is to be committed before."""
        for request in requests:
            self._last += 1
            self._kept.append((self._last, request))
            self._log.put(_KEY.pack(REQUEST, self._last), pack(request))
            self.outbox.put(request)
            if len(self._kept) > KEPT:
                self._forget()

    def mark(self) -> None:
        """Put the mark behind what has left."""
        if self._marked == self._last or self.outbox.waiting:
            return
        if self.outbox.peer.send(MARK, [self._router, self._last]):
            self._marked = self._last

    def taken(self, life: str, number: int) -> None:
        """The worker of this life has answered all up to this number; another one has not heard of what was kept."""
        while (
            number <= self._last and self._kept and self._kept[0][0] <= number
        ):  # else a predecessor is meant
            self._forget()
        if life != self._life:
            self._life, self._marked = life, number
            self.outbox.take_back()
            self.outbox.put_all(request for _, request in self._kept)

    def _forget(self) -> None:
        """The oldest."""
        number, _ = self._kept.popleft()
        self._log.erase(_KEY.pack(REQUEST, number))


class Taken:
    """The worker's side. `routers`: by number. `life`: its name."""

    def __init__(self, routers: Mapping[int, Peer], life: str) -> None:
        self._routers = routers
        self._life = life
        self._untold: dict[int, int] = dict.fromkeys(routers, 0)

    @property
    def is_waiting(self) -> bool:
        """Whether `give_back` has something to do."""
        return bool(self._untold)

    def take(self, router: int, number: int) -> bool:
        """A mark has come; False if it is nobody's."""
        if router in self._routers:
            self._untold[router] = number
        return router in self._routers

    def give_back(self) -> None:
        """Tell the routers how far all is answered; who is away hears it later."""
        for router, number in list(self._untold.items()):
            if self._routers[router].send(TAKEN, [self._life, number]):
                del self._untold[router]
