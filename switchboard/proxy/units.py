"""What a router must not forget: units of state, each saved and restored as a whole.

A unit is a server transaction with the response context and the client transactions that belong to it, or
a client transaction that stands alone (a CANCEL). Records are lists of plain values; instants in them are
monotonic, so they hold for any process of the same boot.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from switchboard.proxy.branch import Branch
from switchboard.proxy.commands import ProxyTurn
from switchboard.proxy.context import ResponseContext
from switchboard.proxy.environment import Environment
from switchboard.transaction.client import ClientState, ClientTransaction
from switchboard.transaction.server import ServerState, ServerTransaction
from switchboard.transaction.timers import TimerValues

RECENT_S = 2.0
"""A provisional response that was decided so shortly before the end may not have left: it is sent again."""

Unit = ServerTransaction | ClientTransaction
Key = tuple[Any, ...]


def units_of(touched: Iterable[object]) -> dict[Unit, None]:
    """Return the units to which the touched transactions belong, each once."""
    return {_unit_of(transaction): None for transaction in touched}


def _unit_of(transaction: object) -> Unit:
    if isinstance(transaction, ClientTransaction) and isinstance(transaction.user, Branch):
        context = transaction.user.context
        assert isinstance(context, ResponseContext)
        return context.server
    assert isinstance(transaction, Unit)
    return transaction


def key_of(unit: Unit) -> Key:
    """Return what names the unit in the log."""
    kind = "server" if isinstance(unit, ServerTransaction) else "client"
    return (kind, *unit.key)


def save(unit: Unit, now: float) -> list[Any] | None:
    """Return the unit's record; None if nothing can come of it any more."""
    if isinstance(unit, ClientTransaction):
        return None if unit.state is ClientState.TERMINATED else ["client", now, unit.saved(), None]
    context = unit.user if isinstance(unit.user, ResponseContext) else None
    if unit.state is ServerState.TERMINATED and not (context and context.is_alive):
        return None
    return ["server", now, unit.saved(), context.saved() if context else None]


def forget(unit: Unit) -> None:
    """Let go of a unit that is done with: its parts refer to each other, and would wait for the collector."""
    if isinstance(unit, ServerTransaction) and isinstance(unit.user, ResponseContext):
        unit.user.dissolve()
    unit.user = None


def is_stale(record: list[Any], now: float, values: TimerValues) -> bool:
    """Whether the unit was saved so long ago that no phone waits for anything of it any more."""
    saved_at: float = record[1]
    return now - saved_at > values.c + values.lifetime


def restore_all(env: Environment, records: Iterable[list[Any]], turn: ProxyTurn) -> None:
    """Take the saved units in again, and go on where they were."""
    restored = list(_restored(env, records))
    for server in env.layer.servers.values():
        _skip_missed(server, turn.now)
    for client in env.layer.clients.values():
        _skip_missed(client, turn.now)
    for unit, saved_at in restored:
        if not isinstance(unit, ServerTransaction):
            continue
        if isinstance(unit.user, ResponseContext):
            unit.user.resume(turn)
        if not unit.is_finished and turn.now - saved_at < RECENT_S:
            unit.repeat(turn)


def _skip_missed(transaction: Unit, now: float) -> None:
    """Let nothing be sent again whose time was over while no process was there (timers B, F and H)."""
    for ending, repeating in (("B", "A"), ("H", "G")):
        if transaction.armed.get(ending, now + 1) <= now:
            transaction.armed.pop(repeating, None)


def _restored(env: Environment, records: Iterable[list[Any]]) -> Iterator[tuple[Unit, float]]:
    for kind, saved_at, transaction, context in records:
        if kind == "client":
            yield env.layer.restore_client(transaction, None), saved_at
            continue
        server = env.layer.restore_server(transaction)
        if context:
            server.user = ResponseContext.restore(env, server, context)
        yield server, saved_at
