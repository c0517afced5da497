"""The servers of a name in the order in which they are tried (RFC 3263 §4.1-2, RFC 2782).

Theory. NAPTR records of a domain name its transports, the best one first; SRV records of each transport name servers,
with a priority and a weight. All servers of a lower priority come before those of a higher one. Among equal ones
chance decides: one with twice the weight comes first twice as often. A server of weight 0 comes first seldom.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from switchboard.sip.flow import TCP, TLS, UDP, is_secure
from switchboard.transports.desk import Service

MOST: Final = 8
"""Servers of one name that are looked up."""
MOST_WAYS: Final = 4
"""NAPTR records of one name that are followed."""
_rank = attrgetter("rank")
_KINDS: Final = {b"sip+d2u": UDP, b"sip+d2t": TCP, b"sips+d2t": TLS}
_LABELS: Final = {UDP: "_sip._udp", TCP: "_sip._tcp", TLS: "_sips._tcp"}


class Named(NamedTuple):
    """A server that a record names; rank and weight as in `Service`. No port: that of the transport."""

    rank: int
    weight: int
    host: str
    port: int | None
    transport: int


class Way(NamedTuple):
    """A name that has SRV records of one transport."""

    name: str
    transport: int


def in_turn(services: Iterable[Service | Named], random: Callable[[], float]) -> Iterator[Any]:
    """Yield the servers in the order in which they are tried."""
    for _, group in groupby(sorted(services, key=_rank), key=_rank):
        rest = list(group)
        while rest:
            yield rest.pop(_chosen([each.weight for each in rest], random))


def _chosen(weights: Sequence[int], random: Callable[[], float]) -> int:
    """The place of one of them, by chance and weight; a weight of 0 counts a little (RFC 2782)."""
    shares = [max(weight, 0.01) for weight in weights]
    left = random() * sum(shares)
    for place, share in enumerate(shares):
        left -= share
        if left < 0:
            return place
    return len(shares) - 1


def ways_of(host: str, transport: int, is_named: bool) -> list[Way]:
    """Where the SRV records are of a domain that has no NAPTR record: the transports that are asked for, in order."""
    transports = (UDP, TCP) if transport == UDP and not is_named else (transport,)
    return [Way(f"{_LABELS[each]}.{host}", each) for each in transports]


def ways_by_naptr(records: Iterable[Any], transport: int) -> list[Way]:
    """The ways of NAPTR records (RFC 3263 §4.1): those that lead to SRV records; a sips URI only goes securely."""
    ways = []
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        offered = _KINDS.get(record.service.lower()) if record.flags.lower() == b"s" else None
        name = record.replacement.to_text(omit_final_dot=True).rstrip(".")
        if name and offered is not None and (is_secure(offered) or not is_secure(transport)):
            ways.append(Way(name, offered))
    return ways[:MOST_WAYS]


def named(records: Iterable[Any], way: Way, place: int) -> list[Named]:
    """The servers of SRV records: what stands at `place` among the ways comes after what stands before it."""
    return [
        Named(
            place * 65536 + record.priority,
            record.weight,
            record.target.to_text(omit_final_dot=True).rstrip("."),
            record.port,
            way.transport,
        )
        for record in records
    ]
