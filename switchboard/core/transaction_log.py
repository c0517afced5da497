"""The saved transactions in the log, each under a number; a successor restores each of them when it is needed.

Theory. A successor must serve at once, and a log may hold a hundred thousand transactions that only absorb
retransmissions. So it restores only those that wait for something, and registers the others as dormant under their
keys (`timers.py`). A message with such a key restores its saved transaction.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final, Protocol

from switchboard.codec import pack, unpack
from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.loop_detection import Numbering
from switchboard.core.saved_transaction import (
    SavedTransaction,
    Transaction,
    base_of,
    edition_of,
    forget,
    is_over,
    resume,
    settled,
    state_of,
    transactions_of,
)
from switchboard.core.timers import Dormant
from switchboard.core.transactions import TransactionLayer

BASE: Final = b"U"
STATE: Final = b"T"
_KEY = struct.Struct(">cQ")


def key_of(part: bytes, number: int) -> bytes:
    """Return the key of that part (BASE, STATE) of the saved transaction `number`."""
    return _KEY.pack(part, number)


def number_in(key: bytes) -> int:
    """Return the number in such a key."""
    number: int = _KEY.unpack(key)[1]
    return number


class Store(Protocol):
    """As much of a KeyedLog as is needed. `put_records`: what its segments would hold (`wal/segment.py`)."""

    def put(self, key: bytes, value: bytes) -> None: ...
    def erase(self, key: bytes) -> None: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __getitem__(self, key: bytes) -> bytes: ...
    def put_records(self, records: bytes) -> None: ...


class _Place:
    """Where a saved transaction is in the log, and which edition of its base."""

    __slots__ = ("base", "edition", "number", "state")

    def __init__(self, number: int, edition: int = -1) -> None:
        self.number = number
        self.edition = edition
        self.base = key_of(BASE, number)
        self.state = key_of(STATE, number)


class TransactionLog:
    """Keeps the saved transactions of one router in `log`, which the caller commits."""

    def __init__(self, log: Store, numbers: Numbering) -> None:
        self._log = log
        self._places: dict[Transaction, _Place] = {}
        keys = [_KEY.unpack(key) for key in log if key[:1] in (BASE, STATE)]
        self._found = [number for kind, number in keys if kind == BASE]
        self.numbers = numbers
        numbers.saved = max((number for _, number in keys), default=0)
        self._layer: TransactionLayer | None = None
        for number in {number for _, number in keys}.difference(self._found):
            self._erase(number)  # the log was damaged

    def save(self, touched: Iterable[object], now: float) -> None:
        """Write the saved transactions of the `touched` transactions; those that are over are erased.

        Those of which only what is sent twice can come are in the log alone from now on.
        """
        for saved in transactions_of(touched):
            if is_over(saved):
                place = self._places.pop(saved, None)
                if place is not None:
                    self._erase(place.number)
                forget(saved)
            else:
                self._put(saved, now)
                self._let_sleep(saved)

    def forget_all(self) -> None:
        """Erase what the predecessor left."""
        for number in self._found:
            self._erase(number)
        self._found.clear()

    def take_over(self, env: Environment, effects: ProxyEffects) -> int:
        """Go on with the predecessor's saved transactions that are not over; return how many there are.

        Those that await something are restored at once, the others when a message or a timer concerns them.
        """
        dormant = env.layer.dormant = Dormant(partial(self._restore, env, effects.now), self._erase)
        self._layer = env.layer
        restored = []
        found, self._found = self._found, []
        for number in found:
            saved = self._find(number)
            if saved is None:
                self._erase(number)
                continue
            due = saved.due
            if saved.is_stale(effects.now, env.layer.values):
                self._erase(number)
            elif due is None or saved.awaits or saved.may_be_lost:
                restored.append((self._restore(env, effects.now, number), saved.saved_at))
            else:
                dormant.add(number, saved.servers, saved.clients, due)
        for transaction, saved_at in restored:
            resume(transaction, saved_at, effects)
        return len(restored) + len(dormant)

    def take_in(self, units: Iterable[SavedTransaction], env: Environment, effects: ProxyEffects) -> int:
        """Go on with what another router has saved; return how many there are. They are in the log after `save`."""
        count = 0
        for saved in units:
            if saved.is_whole and not saved.is_stale(effects.now, env.layer.values):
                transaction = saved.restore(env, effects.now)
                effects.touch(transaction)
                resume(transaction, saved.saved_at, effects)
                count += 1
        return count

    def adopt(self, number: int, env: Environment, now: float) -> Transaction:
        """Go on with the saved transaction of this number, which somebody else has kept in the log until now."""
        return self._restore(env, now, number)

    def _restore(self, env: Environment, now: float, number: int) -> Transaction:
        saved = self._read(number).restore(env, now)
        self._places[saved] = _Place(number, edition_of(saved))
        return saved

    def _put(self, saved: Transaction, now: float) -> None:
        edition = edition_of(saved)
        place = self._places.get(saved)
        if place is None:
            self.numbers.saved += 1
            place = self._places[saved] = _Place(self.numbers.saved)
        if place.edition != edition:
            place.edition = edition
            self._log.put(place.base, pack(base_of(saved)))
        self._log.put(place.state, pack(state_of(saved, now)))

    def _let_sleep(self, saved: Transaction) -> None:
        rest = settled(saved)
        if rest is not None and self._layer is not None:
            servers, clients, until = rest
            place = self._places.pop(saved)
            self._layer.let_sleep(place.number, servers, clients, until)
            forget(saved)

    def _read(self, number: int) -> SavedTransaction:
        base, state = self._log[key_of(BASE, number)], self._log[key_of(STATE, number)]
        return SavedTransaction(unpack(base, lists=False), unpack(state, lists=False))

    def _find(self, number: int) -> SavedTransaction | None:
        """As the predecessor left it; None where the log was damaged, so that not all is there."""
        try:
            saved = self._read(number)
        except KeyError:
            return None
        return saved if saved.is_whole else None

    def _erase(self, number: int) -> None:
        self._log.erase(key_of(STATE, number))
        self._log.erase(key_of(BASE, number))
