"""The buckets of the sources, time advanced by hand."""

from ipaddress import ip_network

import pytest
from compiled import needs_compiled_core
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.domains import AccessList, parse_host, parse_networks
from switchboard.edge.rate_limit import FORGIVEN_S, GENERATION, Bucket, BucketInPython, FilterPolicy, Sources

HERE, THERE = parse_host("10.0.0.1"), parse_host("192.0.2.1")
OFFICE = AccessList(allow=parse_networks(["10.0.0.0/8"]))


def test_everybody_is_free_by_default() -> None:
    assert FilterPolicy().is_free(THERE)
    assert FilterPolicy().lets_in(THERE, "REGISTER")


def test_a_method_has_a_list_of_its_own() -> None:
    policy = FilterPolicy(methods={"REGISTER": OFFICE})
    assert not policy.is_free(THERE)
    assert policy.is_free(HERE)
    assert [policy.lets_in(THERE, method) for method in ("REGISTER", "INVITE", "")] == [False, True, True]


def test_the_list_for_all_counts_besides() -> None:
    policy = FilterPolicy(access=OFFICE, methods={"OPTIONS": AccessList()})
    assert not policy.lets_in(THERE, "OPTIONS")
    assert policy.lets_in(HERE, "OPTIONS")


def test_without_a_rate_nobody_is_counted() -> None:
    assert FilterPolicy().is_exempt(THERE)
    policy = FilterPolicy(rate=1.0, exempt=parse_networks(["10.0.0.0/8"]))
    assert [policy.is_exempt(each) for each in (HERE, THERE)] == [True, False]


POLICY = FilterPolicy(rate=10.0, burst=20.0, ignored_s=5.0)
HOST = "192.0.2.1"


def hears(sources: Sources, now: float, count: int = 1, host: str = HOST) -> int:
    """How many of `count` datagrams are heard."""
    return sum(sources.hears(sources.find(host, now), host, 5060, now) for _ in range(count))


def test_a_burst_is_heard_and_the_rest_ignored() -> None:
    sources = Sources(POLICY)
    assert hears(sources, 100.0, 50) == 20
    assert sources.ignored == 30
    assert sources.floods == [HOST]


def test_the_rate_is_heard_for_ever() -> None:
    sources = Sources(POLICY)
    assert all(hears(sources, 100.0 + number / 10) for number in range(1000))


def test_nobody_listens_until_the_time_is_over() -> None:
    sources = Sources(POLICY)
    hears(sources, 100.0, 21)
    assert not hears(sources, 104.9, 5)
    assert hears(sources, 105.0, 50) == 10, "as much as in a second"


def test_who_goes_on_is_heard_at_a_fraction_of_the_rate_and_told_of_once() -> None:
    sources = Sources(POLICY)
    heard = sum(hears(sources, 100.0 + number / 100) for number in range(6000))
    assert heard < 20 + 60 * 10 * 0.3
    assert sources.floods == [HOST]


def test_a_flood_after_a_long_peace_is_news() -> None:
    sources = Sources(POLICY)
    hears(sources, 100.0, 50)
    hears(sources, 100.0 + POLICY.ignored_s + FORGIVEN_S + 1, 50)
    assert sources.floods == [HOST, HOST]


def test_one_flooder_costs_the_others_nothing() -> None:
    sources = Sources(POLICY)
    hears(sources, 100.0, 1000)
    assert hears(sources, 100.0, 20, "192.0.2.2") == 20


@pytest.mark.parametrize(
    "policy",
    [FilterPolicy(), FilterPolicy(rate=1.0, burst=1.0, ignored_s=1.0, exempt=(ip_network("192.0.2.0/24"),))],
)
def test_who_is_not_counted_is_always_heard(policy: FilterPolicy) -> None:
    assert hears(Sources(policy), 100.0, 1000) == 1000


def test_a_denied_source_is_not_read_if_silence_is_wanted() -> None:
    access = AccessList(deny=(ip_network("192.0.2.0/24"),))
    sources = Sources(FilterPolicy(access=access, silent=True))
    assert hears(sources, 100.0, 3) == 0
    assert sources.denied == 3
    assert hears(sources, 100.0, 3, "198.51.100.1") == 3


def test_addresses_of_an_ipv6_site_are_one_source() -> None:
    sources = Sources(POLICY)
    heard = sum(hears(sources, 100.0, host=f"2001:db8::{number:x}") for number in range(50))
    assert heard == 20
    assert hears(sources, 100.0, host="2001:db8:0:1::1")
    assert hears(sources, 100.0, host="fe80::1%eth0")


@pytest.mark.parametrize("form", ["10.{}.{}.{}", "2001:db8:{:x}:{:x}{:02x}::1"])
def test_spoofed_sources_are_forgotten_but_a_busy_one_is_not(form: str) -> None:
    sources = Sources(POLICY)
    hears(sources, 100.0, 100)
    for number in range(5 * GENERATION):
        host = form.format(number >> 16, number >> 8 & 255, number & 255)
        assert hears(sources, 100.0, host=host)
        if number % 1000 == 0:
            assert not hears(sources, 100.0)
    assert sources.known <= 2 * GENERATION


@needs_compiled_core
@given(st.lists(st.floats(0.0, 2.0), max_size=60), st.floats(0.1, 5.0), st.floats(0.5, 5.0))
def test_the_buckets_of_both_twins_hold_the_same(pauses: list[float], rate: float, most: float) -> None:
    buckets = [Bucket(rate, most, 10.0), BucketInPython(rate, most, 10.0)]
    now = 10.0
    for pause in pauses:
        now += pause
        taken, expected = (bucket.take(now) for bucket in buckets)
        assert taken is expected
    assert buckets[0].tokens == buckets[1].tokens
