"""Transactions that are not in memory: known by their keys and their next deadline.

They lie in saved transactions, which are restored as a whole; a saved transaction is a number here.
"""

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from switchboard.sip.dispatch import ClientKey, ServerKey

Sleeper = tuple[float, int, bool, Sequence[ServerKey], Sequence[ClientKey]]
"""Its deadline, the saved transaction, whether it ends then, and its keys."""


class Dormant:
    """Has `restore` take a saved transaction in as soon as a message or a timer concerns it. Owned by the layer.

    Of a saved transaction that ends at its deadline, `end` is told that instead.
    """

    def __init__(self, restore: Callable[[int], object], end: Callable[[int], object]) -> None:
        self.servers: dict[ServerKey, int] = {}
        self.clients: dict[ClientKey, int] = {}
        self._restore = restore
        self._end = end
        self._saved: dict[int, Sleeper] = {}
        self._lane: deque[Sleeper] = deque()
        self._heap: list[Sleeper] = []

    def __len__(self) -> int:
        return len(self._saved)

    def add(
        self,
        saved: int,
        servers: Sequence[ServerKey],
        clients: Sequence[ClientKey],
        due: float,
        ends: bool = False,
    ) -> None:
        """Let `saved` sleep until one of its keys is met, or until `due` (monotonic s)."""
        sleeper = (due, saved, ends, servers, clients)
        self._saved[saved] = sleeper
        for server in servers:
            self.servers[server] = saved
        for client in clients:
            self.clients[client] = saved
        if not self._lane or self._lane[-1][0] <= due:  # most last equally long
            self._lane.append(sleeper)
        else:
            heappush(self._heap, sleeper)

    def meet_server(self, key: ServerKey) -> None:
        """A request for the server transaction `key` is here."""
        saved = self.servers.get(key)
        if saved is not None:
            self._take(saved)
            self._restore(saved)

    def meet_client(self, key: ClientKey) -> None:
        """A response for the client transaction `key` is here."""
        saved = self.clients.get(key)
        if saved is not None:
            self._take(saved)
            self._restore(saved)

    def meet_due(self, now: float) -> None:
        """Wake those who have a timer that has come, or let them end."""
        while True:
            first = self._first()
            if first is None or first[0] > now:
                return
            self._take(first[1])
            (self._end if first[2] else self._restore)(first[1])

    def next_deadline(self) -> float | None:
        """Return when the next one is to be woken, None if nobody sleeps."""
        first = self._first()
        return None if first is None else first[0]

    def _take(self, saved: int) -> None:
        _, _, _, servers, clients = self._saved.pop(saved)
        for server in servers:
            self.servers.pop(server, None)
        for client in clients:
            self.clients.pop(client, None)

    def _first(self) -> Sleeper | None:
        """Whose deadline is the next; who woke before his own is let go."""
        lane, heap = self._lane, self._heap
        while lane and self._saved.get(lane[0][1]) is not lane[0]:
            lane.popleft()
        while heap and self._saved.get(heap[0][1]) is not heap[0]:
            heappop(heap)
        if lane and (not heap or lane[0][0] <= heap[0][0]):
            return lane[0]
        return heap[0] if heap else None
