"""What becomes of bindings whose connection has been closed.

Theory. Who closes a connection tells its flow, and no user. So there is an index from connections to users. It grows
with each binding over a connection; after a start it is filled from the table, some users at a time. What it says is
only a hint, as bindings change without it: the binding itself decides. When far more is in it than there are bindings,
it is filled anew.

A phone that can be reached by that connection only (a browser; one behind address translation) loses the binding at
once: it cannot be called, and some never come back by themselves. Another phone may listen at its contact. It keeps
the binding until that expires, with a flow without a connection: who calls it makes a new one.

The end of a connection may overtake the last REGISTER over it. So connections that were closed lately are remembered.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from switchboard.bounded import Generations
from switchboard.core.target import contact_flow
from switchboard.registrar.binding import Binding
from switchboard.registrar.store import Change, Store
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, FlowError, is_reliable
from switchboard.sip.uri import SipUri

USERS_AT_ONCE: Final = 300
"""In one commit, some milliseconds long."""
NAMED_AT_ONCE: Final = 1_000
MOST_WAITING: Final = 100_000
"""Connections; the end of more is forgotten, and their bindings expire."""
REMEMBERED: Final = 10_000
SLACK: Final = 10_000


class Connections:
    """Knows who is bound to which connection, and unbinds. `now_at`: epoch s, as in the store.

    `dropped` counts bindings that were removed, `unconnected` those that lost the connection only, `forgotten`
    the connections of which nobody could be unbound in time.
    """

    def __init__(self, store: Store) -> None:
        self.dropped = self.unconnected = self.forgotten = 0
        self._store = store
        self._users: dict[bytes, set[str]] = {}
        self._looked_to, self._is_filled = 0, False  # how far the table has been looked at
        self._waiting: dict[bytes, None] = {}
        self._gone: Generations[bytes, bool] = Generations(REMEMBERED)

    def bound(self, user: str, flow: bytes) -> None:
        """A user has a binding over a packed flow (trusted)."""
        connection = Flow.unpack(flow).connection
        if not connection:
            return
        self._users.setdefault(connection, set()).add(user)
        if connection in self._gone:
            self._wait(connection)

    def close(self, flow: bytes) -> bool:
        """A connection has been closed; False if the packed flow (untrusted) names none."""
        try:
            connection = Flow.unpack(flow).connection
        except FlowError:
            return False
        if connection:
            self._gone.put(connection, True)
            self._wait(connection)
        return bool(connection)

    def users_of(self, stream: int) -> Iterator[list[tuple[bytes, str]]]:
        """Yield who is bound to which connection of that edge-stream, in steps of some milliseconds."""
        while not self._fill():
            yield []
        connections = [each for each in self._users if each[0] == stream]
        for at in range(0, len(connections), NAMED_AT_ONCE):
            known = ((each, self._users.get(each)) for each in connections[at : at + NAMED_AT_ONCE])
            yield [(connection, next(iter(users))) for connection, users in known if users]

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to do."""
        return bool(self._waiting)

    def go_on(self, now_at: float) -> Change:
        """Unbind the next users, at most about USERS_AT_ONCE. NotWritten: they are still the next ones."""
        if not self._fill():
            return Change()
        taken = list(islice(self._next(), USERS_AT_ONCE))
        dropped, unconnected = self.dropped, self.unconnected
        try:
            with self._store.batch() as change:
                for connection, user in taken:
                    self._unbind(user, connection, now_at)
        except BaseException:
            self.dropped, self.unconnected = dropped, unconnected
            raise
        self._settle(taken)
        return change

    def _wait(self, connection: bytes) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting[connection] = None
        else:
            self.forgotten += 1

    def _fill(self) -> bool:
        """Look at the next users of the table; whether all have been looked at."""
        if len(self._users) > 2 * self._store.table.bindings + SLACK:
            self._users, self._is_filled = {}, False
        if self._is_filled:
            return True
        names, self._looked_to = self._store.table.some(self._looked_to, USERS_AT_ONCE)
        for user in names:
            for binding in self._store.bindings(user):
                if binding.flow:
                    self.bound(user, binding.flow)
        self._is_filled = self._looked_to == 0
        return self._is_filled

    def _next(self) -> Iterator[tuple[bytes, str]]:
        for connection in self._waiting:
            for user in self._users.get(connection, ()):
                yield connection, user

    def _settle(self, taken: list[tuple[bytes, str]]) -> None:
        for connection, user in taken:
            self._users[connection].discard(user)
        for connection in list(self._waiting):
            if self._users.get(connection):
                return
            self._users.pop(connection, None)
            del self._waiting[connection]

    def _unbind(self, user: str, connection: bytes, now_at: float) -> None:
        bindings = [binding for binding in self._store.bindings(user) if binding.expires_at > now_at]
        left = [kept for binding in bindings if (kept := self._without(binding, connection)) is not None]
        if left != bindings:
            self._store.put(user, left)

    def _without(self, binding: Binding, connection: bytes) -> Binding | None:
        """The binding without that connection; None if there is no other way."""
        flow = Flow.unpack(binding.flow) if binding.flow else None
        if flow is None or flow.connection != connection:
            return binding
        try:
            ways = contact_flow(SipUri.parse(binding.contact), flow)
        except ParseError:
            ways = []
        if not ways:
            self.dropped += 1
            return None
        self.unconnected += 1
        return binding._replace(flow=ways[0].pack() if is_reliable(ways[0].transport) else b"")
