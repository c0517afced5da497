"""The calls that this router holds although their Call-ID belongs to another router since the set of routers changed.

A router holds a call while one of its saved transactions is in the store, even if that only absorbs retransmissions.
So all messages of such a transaction (repetitions, CANCEL, ACK) have to come here; new requests of the call may
come, too.
"""

import re
from array import array
from contextlib import suppress
from typing import Final

from switchboard.core.transaction_log import BASE, STATE, Store, key_of, number_in
from switchboard.sip.shares import MOST_IN_SERVICE, call_id_sum, router_of

_CALL_ID: Final = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE)


class HeldCalls:
    """Finds them in `store`, where router `instance` keeps its saved transactions: each is read once."""

    def __init__(self, store: Store, instance: int) -> None:
        self._store = store
        self._instance = instance
        self._routers: frozenset[int] = frozenset()
        self._last = 0  # of the numbers that have been looked at
        self._sums: dict[int, int] = {}  # of those that are held, by number

    def sums(self, routers: frozenset[int]) -> set[int]:
        """Their `call_id_sum`, if these `routers` take new calls."""
        if routers != self._routers:
            self._routers, self._last, self._sums = routers, 0, {}
        numbers = {number_in(key) for key in self._store if key[:1] == BASE}
        self._sums = {number: sum_ for number, sum_ in self._sums.items() if number in numbers}
        for number in numbers:
            if number > self._last:
                self._look(number)
        self._last = max(numbers, default=self._last)
        return set(self._sums.values())

    def _look(self, number: int) -> None:
        found = self._call_id(number)
        sum_ = call_id_sum(found)
        if router_of(sum_, self._routers) != self._instance:
            self._sums[number] = sum_

    def _call_id(self, number: int) -> bytes:
        """The request is in what does not change; of one that was only answered, the answer in what does."""
        with suppress(KeyError):  # of a damaged log not all is there
            for part in (BASE, STATE):
                if found := _CALL_ID.search(self._store[key_of(part, number)]):
                    return found[1]
        return b""


def is_set_of_routers(numbers: list[object]) -> bool:
    """Whether these may be routers in service: that somebody says so (untrusted)."""
    return bool(numbers) and all(isinstance(each, int) and 0 <= each < MOST_IN_SERVICE for each in numbers)


def pack_sums(sums: set[int]) -> bytes:
    """Four octets each."""
    return array("I", sums).tobytes()


def unpack_sums(packed: bytes) -> set[int]:
    """What `pack_sums` returned, on a machine of this kind. ValueError."""
    sums = array("I")
    sums.frombytes(packed)
    return set(sums)
