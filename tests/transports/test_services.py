"""The servers of a name in their order (RFC 2782, RFC 3263 §4.1)."""

import random
from collections import Counter
from typing import Any

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.commands import NextHop
from switchboard.sip.flow import TCP, TLS, UDP
from switchboard.transports.desk import Service
from switchboard.transports.services import MOST_WAYS, Way, in_turn, named, ways_by_naptr, ways_of


def services(*given: tuple[int, int]) -> list[Service]:
    return [
        Service(rank, weight, (NextHop(f"192.0.2.{number}", 5060),))
        for number, (rank, weight) in enumerate(given)
    ]


def records(kind: str, *texts: str) -> list[Any]:
    return [dns.rdata.from_text("IN", kind, text) for text in texts]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535))), st.integers())
def test_each_comes_once_and_lower_ranks_first(given: list[tuple[int, int]], seed: int) -> None:
    found = list(in_turn(services(*given), random.Random(seed).random))
    assert sorted(found) == sorted(services(*given))
    assert [each.rank for each in found] == sorted(each.rank for each in found)


def test_twice_the_weight_comes_first_twice_as_often() -> None:
    chance = random.Random(1).random
    firsts = Counter(next(in_turn(services((1, 10), (1, 20), (1, 0)), chance)).weight for _ in range(3_000))
    assert 1_800 < firsts[20] < 2_200
    assert 800 < firsts[10] < 1_200
    assert 0 < firsts[0] < 30 or firsts[0] == 0


def test_without_weights_chance_decides() -> None:
    chance = random.Random(1).random
    firsts = Counter(next(in_turn(services((1, 0), (1, 0)), chance)).hops for _ in range(1_000))
    assert min(firsts.values()) > 400


@pytest.mark.parametrize(
    ("transport", "is_named", "ways"),
    [
        (UDP, False, [Way("_sip._udp.b.example", UDP), Way("_sip._tcp.b.example", TCP)]),
        (UDP, True, [Way("_sip._udp.b.example", UDP)]),
        (TCP, True, [Way("_sip._tcp.b.example", TCP)]),
        (TLS, False, [Way("_sips._tcp.b.example", TLS)]),
        (TLS, True, [Way("_sips._tcp.b.example", TLS)]),
    ],
)
def test_the_ways_without_naptr(transport: int, is_named: bool, ways: list[Way]) -> None:
    assert ways_of("b.example", transport, is_named) == ways


NAPTR = records(
    "NAPTR",
    '90 50 "s" "SIP+D2T" "" _sip._tcp.b.example.',
    '50 50 "S" "sips+d2t" "" _sips._tcp.b.example.',
    '90 10 "s" "SIP+D2U" "" _sip._udp.b.example.',
    '10 10 "u" "E2U+sip" "!^.*$!sip:x@c.example!" .',
    '10 10 "s" "SIP+D2S" "" _sip._sctp.b.example.',
    '10 10 "a" "SIP+D2U" "" host.b.example.',
    '10 10 "s" "SIP+D2U" "" .',
)


def test_naptr_names_transports_in_its_order() -> None:
    """What leads to something else, or to a transport that nobody has, is left out."""
    assert ways_by_naptr(NAPTR, UDP) == [
        Way("_sips._tcp.b.example", TLS),
        Way("_sip._udp.b.example", UDP),
        Way("_sip._tcp.b.example", TCP),
    ]


def test_a_sips_uri_goes_securely_only() -> None:
    assert ways_by_naptr(NAPTR, TLS) == [Way("_sips._tcp.b.example", TLS)]


def test_a_thousand_naptr_records_are_not_followed() -> None:
    many = records("NAPTR", *(f'1 {n} "s" "SIP+D2U" "" n{n}.example.' for n in range(1_000)))
    assert len(ways_by_naptr(many, UDP)) == MOST_WAYS


def test_what_comes_first_among_the_ways_comes_first() -> None:
    found = named(records("SRV", "65535 1 5060 a.example."), Way("x", UDP), 0)
    found += named(records("SRV", "0 1 5070 b.example."), Way("y", TCP), 1)
    assert [(each.host, each.port, each.transport) for each in in_turn(found, lambda: 0.5)] == [
        ("a.example", 5060, UDP),
        ("b.example", 5070, TCP),
    ]
