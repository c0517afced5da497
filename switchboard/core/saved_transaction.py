"""Saved transactions: what a router must not forget, saved in two parts and restored as a whole.

Theory. A successor has to continue a transaction as if nothing had happened, and the cost of saving it is paid for
every message. So the large part that does not change is written once, and only a small part at each change. A saved
transaction is a server transaction with the response context and the client transactions that belong to it, or a
client transaction that stands alone (a CANCEL). `base` is written when the saved transaction begins and again when
it gets another branch; `state` is written at every change:

    base     (is_server, the transaction's fixed fields, the context's or None)
    state    (saved_at, the transaction's changing fields, the context's or None)

Instants in them are monotonic, so they are valid in any process of the same boot.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from switchboard.core.branch import STATUS_FIELD, Branch
from switchboard.core.client_transaction import ClientState, ClientTransaction
from switchboard.core.commands import Fields, ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.own_requests import OwnRequest
from switchboard.core.relaying import holds
from switchboard.core.response_context import ResponseContext, restore_context
from switchboard.core.server_transaction import ServerState, ServerTransaction
from switchboard.core.timers import TimerValues
from switchboard.sip.dispatch import ClientKey, ServerKey
from switchboard.sip.flow import is_reliable

RECENT_S = 2.0
"""What was decided so shortly before the end may not have left. It is sent again, unless a timer or a phone does that:
a provisional response, and over a reliable transport the last message of any transaction."""

Transaction = ServerTransaction | ClientTransaction
Settled = tuple[list[ServerTransaction], list[ClientTransaction], float]

_ENDINGS = frozenset("DIJKLM")
"""Timers that do nothing but end a transaction which has its final response."""


def transactions_of(touched: Iterable[object]) -> dict[Transaction, None]:
    """Return the saved transactions to which the touched transactions belong, each once; our own requests are not."""
    transactions: dict[Transaction, None] = {}
    for transaction in touched:
        if not (isinstance(transaction, ClientTransaction) and isinstance(transaction.user, OwnRequest)):
            transactions[_unit_of(transaction)] = None
    return transactions


def _unit_of(transaction: object) -> Transaction:
    if isinstance(transaction, ServerTransaction):
        return transaction
    assert isinstance(transaction, ClientTransaction)
    client = transaction
    if isinstance(client.user, Branch):
        branch = client.user
        assert isinstance(branch.context, ResponseContext)
        context = branch.context
        return context.server
    return client


def is_over(transaction: Transaction) -> bool:
    """Whether nothing can come of the saved transaction any more."""
    if not transaction.is_over:
        return False
    context = _context_of(transaction)
    return context is None or not context.is_alive()


def edition_of(transaction: Transaction) -> int:
    """Return the number of the saved transaction's base: another one when the base has changed."""
    context = _context_of(transaction)
    return 0 if context is None else context.edition


def base_of(transaction: Transaction) -> Fields:
    """Return what does not change."""
    context = _context_of(transaction)
    return (
        isinstance(transaction, ServerTransaction),
        transaction.fixed(),
        None if context is None else context.fixed(),
    )


def state_of(transaction: Transaction, now: float) -> Fields:
    """Return what does."""
    context = _context_of(transaction)
    return now, transaction.changing(), None if context is None else context.changing()


def settled(transaction: Transaction) -> Settled | None:
    """A saved transaction that has only to absorb what is sent twice: its transactions, and when the last one ends.

    None: more may come of it.
    """
    servers, clients = _transactions_of(transaction)
    if any(server.last is not None and is_reliable(server.flow.transport) for server in servers):
        return None  # a connection may lose its answer
    until = 0.0
    for part in (*servers, *clients):
        for letter, when in part.armed.items():
            if letter not in _ENDINGS:
                return None
            until = max(until, when)
    return (servers, clients, until) if until else None


def _transactions_of(transaction: Transaction) -> tuple[list[ServerTransaction], list[ClientTransaction]]:
    """Those that are there yet; none while a final response is missing."""
    if isinstance(transaction, ClientTransaction):
        return [], [transaction]
    context = _context_of(transaction)
    clients = context.lingering() if context else []
    if clients is None or not transaction.is_finished:
        return [], []
    return [] if transaction.is_over else [transaction], clients


def forget(transaction: Transaction) -> None:
    """Let go of one that is done with: its parts refer to each other, and would wait for the collector."""
    if context := _context_of(transaction):
        context.dissolve()
    transaction.user = None


def resume(transaction: Transaction, saved_at: float, effects: ProxyEffects) -> None:
    """Go on with a saved transaction that awaits something."""
    if context := _context_of(transaction):
        context.resume(effects)
    if effects.now - saved_at >= RECENT_S:
        return
    if isinstance(transaction, ServerTransaction) and (
        not transaction.is_finished or is_reliable(transaction.flow.transport)
    ):
        transaction.repeat(effects)
    for client in _clients_of(transaction):
        if is_reliable(client.flow.transport):
            client.repeat(effects)


def _clients_of(transaction: Transaction) -> list[ClientTransaction]:
    if isinstance(transaction, ClientTransaction):
        return [transaction]
    context = _context_of(transaction)
    return context.clients() if context else []


def ask_again(transaction: Transaction, effects: ProxyEffects) -> None:
    """Ask a media engine again about what waits for its answer."""
    if context := _context_of(transaction):
        context.resume(effects)


def expect_ack(transaction: Transaction, contact: str, env: Environment) -> None:
    """The ACK for the 2xx with this Contact, which an INVITE passed on, is still to come."""
    context = _context_of(transaction)
    if context is not None:
        context.expect_ack(contact, transaction.armed["L"] - env.layer.values.lifetime)


def _context_of(transaction: Transaction) -> ResponseContext | None:
    user = transaction.user
    return user if isinstance(user, ResponseContext) else None


@dataclass(frozen=True, slots=True)
class SavedTransaction:
    """A saved transaction as its predecessor wrote it: what there is to know of it without restoring it."""

    base: Fields
    state: Fields

    @property
    def is_whole(self) -> bool:
        """Whether both parts are of the same moment: one may be older, where the log was damaged."""
        own, other = self.base[2], self.state[2]
        return (own is None) == (other is None) and (own is None or len(own[-1]) == len(other[-1]))

    def moved(self, later_s: float, silent_s: float) -> "SavedTransaction":
        """The same for a clock of another host, which shows that much more. `silent_s`: the time since its router was
        heard of last does not count for what may have been lost with it.
        """
        saved_at, own, context = self.state
        if context is not None:
            context = *context[:-1], [_moved_branch(branch, later_s) for branch in context[-1]]
        return SavedTransaction(self.base, (saved_at + later_s + silent_s, _moved(own, later_s), context))

    @property
    def saved_at(self) -> float:
        """When it was touched last."""
        at: float = self.state[0]
        return at

    def is_stale(self, now: float, values: TimerValues) -> bool:
        """Whether that is so long ago that no phone waits for anything of it any more."""
        return now - self.saved_at > values.c + values.lifetime

    @property
    def awaits(self) -> bool:
        """Whether it must go on at once: a final response is missing, a name was being resolved, or an engine asked."""
        if self.base[0] and self.state[1][0] <= ServerState.PROCEEDING:
            return True
        if self.state[2] and holds(*[each for each in self.state[2][3:-1] if not isinstance(each, int)]):
            return True
        return any(branch[-1] is None and not branch[STATUS_FIELD] for branch in self._branches)

    @property
    def may_be_lost(self) -> bool:
        """Whether its last message went over a connection, and nothing confirms that it came."""
        flow, state, last = self.base[1][1], self.state[1][0], self.state[1][2]
        is_lost = last is not None if self.base[0] else state == ClientState.TRYING
        if is_reliable(flow[0]) and is_lost:
            return True
        pairs = zip(self.base[2][-1], self._branches, strict=True) if self.base[2] else ()
        clients = [(fixed[-1], changing[-1]) for fixed, changing in pairs if changing[-1]]
        return any(is_reliable(fixed[1][0]) and state[0] == ClientState.TRYING for fixed, state in clients)

    @property
    def due(self) -> float | None:
        """The first instant at which one of its timers fires."""
        armed = [*self.state[1][-1].values()]
        for *_, own, client in self._branches:
            armed += own.values()
            if client:
                armed += client[-1].values()
        return min(armed, default=None)

    @property
    def servers(self) -> list[ServerKey]:
        """The key of its server transaction, if messages may still belong to that."""
        return [self.base[1][0]] if self.base[0] and self.state[1][0] != ServerState.TERMINATED else []

    @property
    def clients(self) -> list[ClientKey]:
        """The keys of its client transactions to which messages may still belong."""
        over = ClientState.TERMINATED
        if not self.base[0]:
            return [self.base[1][0]] if self.state[1][0] != over else []
        pairs = zip(self.base[2][-1], self._branches, strict=True) if self.base[2] else ()
        return [fixed[-1][0] for fixed, changing in pairs if changing[-1] and changing[-1][0] != over]

    def restore(self, env: Environment, now: float) -> Transaction:
        """Take it in again. `now`: when this process took over."""
        is_server, fixed, context = self.base
        _, changing, context_changing = self.state
        if not is_server:
            return env.layer.restore_client(fixed, changing, now)
        server = env.layer.restore_server(fixed, changing, now)
        if context:
            server.user = restore_context(env, server, context, context_changing, now)
        return server

    @property
    def _branches(self) -> list[Fields]:
        branches: list[Fields] = self.state[2][-1] if self.state[2] else []
        return branches


def _moved(changing: Fields, later_s: float) -> Fields:
    """What changes of a transaction, with its timers, which come last, at other instants."""
    return *changing[:-1], {letter: when + later_s for letter, when in changing[-1].items()}


def _moved_branch(branch: Fields, later_s: float) -> Fields:
    *rest, armed, client = branch
    return *_moved((*rest, armed), later_s), _moved(client, later_s) if client else None
