"""Which router gets which calls: rendezvous hashing (highest random weight; Thaler and Ravishankar, 1998).

Theory. The CRC-32 of a Call-ID chooses one of SLOTS slots. Each router has a weight in each slot, drawn from its number
alone, and the slot is that router's which has the highest one. So a router that goes gives up its own slots and no
others, and a router that comes takes only those in which its weight is the highest. Every edge finds the same from
the same set of routers. The table is made when the set changes; a message costs one look into it.
"""

import sys
from array import array
from collections.abc import Iterable
from functools import lru_cache
from hashlib import shake_128
from typing import Final
from zlib import crc32

SLOTS: Final = 16384
"""A power of two. Of 64 routers each has 256 slots, give or take 16."""
MOST_IN_SERVICE: Final = 256
"""Numbers of routers in service are below."""


def record_sum(to: bytes) -> int:
    """Return the number by which a registrar is chosen: of the address-of-record in a To.

    Whoever takes a REGISTER is right. But two for one user that come at once are quicker at the same registrar.
    """
    uri = to[to.rfind(b"<") + 1 :]
    return crc32(uri.partition(b">")[0].partition(b";")[0])


def call_id_sum(call_id: bytes) -> int:
    """Return the number by which a Call-ID's router is chosen."""
    return crc32(call_id)


@lru_cache(maxsize=8)
def shares(routers: frozenset[int]) -> bytes:
    """The number of the router that has each slot, one octet each. `routers`: those in service."""
    numbers = sorted(routers)
    columns = zip(*map(_weights, numbers), strict=True)
    return bytes(numbers[each.index(max(each))] for each in columns)


def router_of(sum_: int, routers: Iterable[int]) -> int:
    """The router, of those in service, that a call with this `call_id_sum` belongs to."""
    return shares(frozenset(routers))[sum_ % SLOTS]


def _weights(router: int) -> "array[int]":
    weights = array("I", shake_128(b"router.%d" % router).digest(4 * SLOTS))
    if sys.byteorder == "big":
        weights.byteswap()
    return weights
