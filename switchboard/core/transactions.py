"""The transaction layer: matches messages to transactions and fires their timers (RFC 3261 §17).

Theory. Over UDP a message may be lost, and the sender repeats it. A transaction hides that from its user: the client
side repeats a request until a response comes, and the server side answers a repeated request from its state. Two
dictionaries hold the transactions. The key of a server transaction comes from the top Via of the request (§17.2.3),
that of a client transaction from our branch and the method of CSeq (§17.1.3). A message without a match is new work,
or ends here (a stray response).

A finished transaction lives on for some time, only to absorb repetitions. Most transactions are in this phase. They
leave memory and become *dormant*: their keys and their end are kept (`timers.py`), their content is in the router's
log. A message with such a key restores the saved transaction first.

Repetitions are limited, because a user agent may register, or be redirected to, the address of a third party, which
would get each request seven times (timers A and E). An address that has answered a request of ours once gets
repetitions as RFC 3261 says. Every other address gets at most `A_SECOND` repetitions a second, all requests
together.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from switchboard.bounded import Generations
from switchboard.core.client_transaction import (
    ClientTransaction,
    InviteClientTransaction,
    NonInviteClientTransaction,
    restore_client,
)
from switchboard.core.commands import Fields, Reader, TransactionEffects
from switchboard.core.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerTransaction,
    restore_server,
)
from switchboard.core.timers import Dormant, Timers, TimerValues, Waiting
from switchboard.sip.dispatch import ClientKey, ServerKey, client_key
from switchboard.sip.flow import Flow, stream_of
from switchboard.sip.message import Message

A_SECOND: Final = 10
"""Repetitions to one address that has never answered."""
ADDRESSES: Final = 20_000
"""Addresses that have answered, in one generation."""


class Repeating(Protocol):
    """Who counts them."""

    @property
    def withheld(self) -> int: ...
    def answered(self, host: str) -> None: ...
    def allows(self, host: str, now: float) -> bool: ...


class Repetitions:
    """Hosts are IP addresses, `now` is monotonic. `withheld` counts what was not repeated."""

    def __init__(self) -> None:
        self.withheld = 0
        self._answered: Generations[str, bool] = Generations(ADDRESSES)
        self._second = 0
        self._sent: dict[str, int] = {}

    def answered(self, host: str) -> None:
        """A request of ours to `host` was answered."""
        if host not in self._answered.young:
            self._answered.put(host, True)

    def allows(self, host: str, now: float) -> bool:
        """Whether a request may be repeated to `host` at this moment; it counts as one if it may."""
        if host in self._answered:
            return True
        if int(now) != self._second:
            self._second, self._sent = int(now), {}
        sent = self._sent.get(host, 0)
        if sent >= A_SECOND:
            self.withheld += 1
            return False
        self._sent[host] = sent + 1
        return True


class Elsewhere(Protocol):
    """Who holds transactions of this router besides."""

    @property
    def server_count(self) -> int: ...
    @property
    def client_count(self) -> int: ...


class TransactionLayer:
    """Owns every transaction of a router. Terminated ones are forgotten at once.

    `dormant`: those that are in the log alone. `elsewhere`: who counts those that the engine holds.
    """

    def __init__(self, values: TimerValues) -> None:
        self.values = values
        self.timers = Timers()
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self.dormant: Dormant | None = None
        self.repetitions: Repeating = Repetitions()
        self.elsewhere: Elsewhere | None = None

    @property
    def server_count(self) -> int:
        """How many server transactions there are, here and elsewhere."""
        return self.own_server_count + (self.elsewhere.server_count if self.elsewhere else 0)

    @property
    def own_server_count(self) -> int:
        """How many there are here."""
        return len(self.servers) + (len(self.dormant.servers) if self.dormant else 0)

    def server_keys(self) -> Iterator[ServerKey]:
        """The keys of those."""
        yield from self.servers
        if self.dormant:
            yield from self.dormant.servers

    @property
    def client_count(self) -> int:
        """The same for client transactions."""
        elsewhere = self.elsewhere.client_count if self.elsewhere else 0
        return len(self.clients) + (len(self.dormant.clients) if self.dormant else 0) + elsewhere

    def find_server(self, key: ServerKey) -> ServerTransaction | None:
        """Return the server transaction with this key, None if there is none."""
        if self.dormant:
            self.dormant.meet_server(key)
        return self.servers.get(key)

    def open_server(self, key: ServerKey, flow: Flow, reader: Reader) -> ServerTransaction:
        """Start the server transaction of a new request."""
        transaction: ServerTransaction
        if key[-1] == "INVITE":
            transaction = InviteServerTransaction(key, flow, reader, self.timers, self.values)
        else:
            transaction = NonInviteServerTransaction(key, flow, reader, self.timers, self.values)
        self.servers[key] = transaction
        return transaction

    def withdraw(self, server: ServerTransaction) -> None:
        """Forget a server transaction: its request is answered without state (§8.2.7)."""
        self.servers.pop(server.key, None)

    def open_client(
        self,
        branch: str,
        method: str,
        flow: Flow,
        raw: bytes,
        user: object,
        effects: TransactionEffects,
        *,
        waits: bool = False,
    ) -> ClientTransaction:
        """Start a client transaction: `raw`, whose top Via bears `branch`, is sent to `flow`, or `waits` for it."""
        key = client_key(branch, method)
        transaction: ClientTransaction
        if method == "INVITE":
            transaction = InviteClientTransaction(key, flow, raw, self.timers, self.values, user)
        else:
            transaction = NonInviteClientTransaction(key, flow, raw, self.timers, self.values, user)
        self.clients[key] = transaction
        transaction.start(effects, waits=waits)
        return transaction

    def restore_server(self, fixed: Fields, changing: Fields, now: float) -> ServerTransaction:
        """Take a saved server transaction in again. `now`: when this process took over."""
        transaction = restore_server(fixed, changing, self.timers, self.values, now)
        if not transaction.is_over:
            self.servers[transaction.key] = transaction
        return transaction

    def restore_client(
        self, fixed: Fields, changing: Fields, now: float, user: object = None
    ) -> ClientTransaction:
        """Take a saved client transaction in again. `now`: when this process took over."""
        transaction = restore_client(fixed, changing, self.timers, self.values, now, user)
        if not transaction.is_over:
            self.clients[transaction.key] = transaction
        return transaction

    def receive_response(self, response: Message, effects: TransactionEffects) -> ClientTransaction | None:
        """Give a response to its transaction; return that if its user is to see the response.

        A response that nobody waits for ends here (RFC 6026 §8.9).
        """
        key = client_key(response.via.branch or "", response.method)
        if self.dormant:
            self.dormant.meet_client(key)
        transaction = self.clients.get(key)
        if transaction is None:
            return None
        self.repetitions.answered(transaction.flow.host)
        is_told = transaction.receive(response, effects)
        if transaction.is_over:
            self.clients.pop(key, None)
        return transaction if is_told else None

    def fail(self, key: ClientKey, flow: Flow, effects: TransactionEffects) -> ClientTransaction | None:
        """What was sent over `flow` with this key cannot be delivered (§18.4).

        Returns the client transaction if that ends it: it had been sent there, and nobody has answered.
        """
        if self.dormant:
            self.dormant.meet_client(key)
        client = self.clients.get(key)
        if client is None or not client.flow.is_same_way(flow) or not client.fail(effects):
            return None
        del self.clients[key]
        return client

    def repeat(self, instance: int, streams: int, effects: TransactionEffects) -> int:
        """Send again what may be lost, as that edge-stream has been replaced: return how many transactions that were.

        It is the last message of each transaction whose flow is one of its connections.
        """
        both: list[ServerTransaction | ClientTransaction] = [*self.servers.values(), *self.clients.values()]
        found = [each for each in both if stream_of(each.flow.pack(), streams) == instance]
        for each in found:
            each.repeat(effects)
        return len(found)

    def let_sleep(
        self,
        saved: int,
        servers: list[ServerTransaction],
        clients: list[ClientTransaction],
        until: float,
    ) -> None:
        """Let go of transactions that only absorb what is sent twice: they are restored if that happens."""
        assert self.dormant is not None
        for server in servers:
            self.servers.pop(server.key, None)
            server.armed.clear()
        for client in clients:
            self.clients.pop(client.key, None)
            client.armed.clear()
            client.user = None
        self.dormant.add(saved, [each.key for each in servers], [each.key for each in clients], until, True)

    def abandon(self, client: ClientTransaction) -> None:
        """End a client transaction whose user waits no more (§9.1)."""
        client.end()
        self.clients.pop(client.key, None)

    def next_deadline(self) -> float | None:
        """Return when `handle_timer` is due (monotonic s); None if no timer runs."""
        awake = self.timers.next_deadline()
        dormant = self.dormant.next_deadline() if self.dormant else None
        return awake if dormant is None else dormant if awake is None else min(awake, dormant)

    def handle_timer(self, effects: TransactionEffects) -> Iterator[ClientTransaction | tuple[Waiting, str]]:
        """Let due timers fire.

        Yields each client transaction that has timed out, and `(owner, letter)` for timers that the
        transaction user armed for itself.
        """
        if self.dormant:
            self.dormant.meet_due(effects.now)
        while found := self.timers.pop_due(effects.now):
            owner, letter = found
            if isinstance(owner, ServerTransaction):
                owner.fire(letter, effects)
                if owner.is_over:
                    self.servers.pop(owner.key, None)
            elif isinstance(owner, ClientTransaction):
                if letter == "A" and not self.repetitions.allows(owner.flow.host, effects.now):
                    owner.skip(effects)
                    continue
                timed_out = owner.fire(letter, effects)
                if owner.is_over:
                    self.clients.pop(owner.key, None)
                if timed_out:
                    yield owner
            else:
                yield owner, letter
