"""Reads what routers wrote before version 2: a unit was one record of nested lists, and keys were msgpack.

Everything found is put into the log anew; the old entries are erased with the same commit.
"""

from typing import Any

from switchboard.codec import unpack
from switchboard.durable.keyed_log import KeyedLog
from switchboard.durable.keys import BOOT, SERIES, event_key
from switchboard.durable.unit_log import UnitLog
from switchboard.proxy.units import SavedUnit
from switchboard.transaction.client import ClientState
from switchboard.transaction.commands import Fields
from switchboard.transaction.server import ServerState

_ARRAYS = range(0x90, 0xA0)


def upgrade(log: KeyedLog, units: UnitLog) -> None:
    """Turn the entries of version 1 in `log` into those of version 2; `units` writes into the same log."""
    old = [(key, log[key]) for key in log if key[0] in _ARRAYS]
    for key, value in old:
        match unpack(key):
            case ["boot"]:
                log.put(BOOT, value)
            case ["series"]:
                log.put(SERIES, value)
            case ["event", int(number)]:
                log.put(event_key(number), value)
            case ["unit", *_]:
                units.add(_unit(unpack(value)))
        log.erase(key)


def _unit(record: list[Any]) -> SavedUnit:
    kind, saved_at, transaction, context = record
    if kind == "client":
        return SavedUnit((False, _client(transaction)[0], None), (saved_at, _client(transaction)[1], None))
    key, peer, reader, state, armed, last, memory = transaction
    is_invite = key[-1] == "INVITE"
    fixed = key, peer, reader, b"" if is_invite else memory
    changing = ServerState[state], memory if is_invite else 0.0, last, armed
    context_fixed, context_changing = _context(context) if context else (None, None)
    return SavedUnit((True, fixed, context_fixed), (saved_at, changing, context_changing))


def _client(record: list[Any]) -> tuple[Fields, Fields]:
    key, peer, raw, state, armed, interval = record
    return (key, peer, raw), (ClientState[state], interval, armed)


def _context(record: list[Any]) -> tuple[Fields, Fields]:
    request, routing, groups, tried, (cancelled, rang), answers, branches = record
    pairs = [_branch(branch) for branch in branches]
    fixed = request, routing, groups, tried, [fixed for fixed, _ in pairs]
    return fixed, (cancelled, rang, answers, [changing for _, changing in pairs])


def _branch(record: list[Any]) -> tuple[Fields, Fields]:
    plan, armed, final, flags, reasons, client = record
    client_fixed, client_changing = _client(client) if client else (None, None)
    return (*plan, client_fixed), (*flags, reasons, *(final or (0, None)), armed, client_changing)
