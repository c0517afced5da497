"""A predecessor's transactions that nobody has met yet: known by their keys and their next deadline.

They lie in units, which are restored as a whole; a unit is a number here.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from switchboard.transaction.key import ClientKey, ServerKey


class Dormant:
    """Has `restore` take a unit in as soon as a message or a timer concerns it. Owned by the layer."""

    def __init__(self, restore: Callable[[int], object]) -> None:
        self.servers: dict[ServerKey, int] = {}
        self.clients: dict[ClientKey, int] = {}
        self._restore = restore
        self._units: dict[int, tuple[Sequence[ServerKey], Sequence[ClientKey]]] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._units)

    def add(self, unit: int, servers: Sequence[ServerKey], clients: Sequence[ClientKey], due: float) -> None:
        """Let `unit` sleep until one of its keys is met, or until `due` (monotonic s)."""
        self._units[unit] = servers, clients
        self.servers.update(dict.fromkeys(servers, unit))
        self.clients.update(dict.fromkeys(clients, unit))
        heappush(self._deadlines, (due, unit))

    def meet_server(self, key: ServerKey) -> None:
        """A request for the server transaction `key` is here."""
        if (unit := self.servers.get(key)) is not None:
            self._wake(unit)

    def meet_client(self, key: ClientKey) -> None:
        """A response for the client transaction `key` is here."""
        if (unit := self.clients.get(key)) is not None:
            self._wake(unit)

    def meet_due(self, now: float) -> None:
        """Wake those who have a timer that has come."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, unit = heappop(self._deadlines)
            if unit in self._units:
                self._wake(unit)

    def next_deadline(self) -> float | None:
        """Return when the next one is to be woken, None if nobody sleeps."""
        while self._deadlines and self._deadlines[0][1] not in self._units:
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def _wake(self, unit: int) -> None:
        servers, clients = self._units.pop(unit)
        for server in servers:
            self.servers.pop(server, None)
        for client in clients:
            self.clients.pop(client, None)
        self._restore(unit)
