"""Phones that share a flooder's address; time is advanced by hand."""

import pytest

from switchboard.edge.rate_limit import PHONES, SHARE, FilterPolicy, Phones, Sources

HOST, PHONE, FLOODER = "192.0.2.1", 5060, 40_000
RATE, BURST = 100.0, 400.0


def flooded() -> Sources:
    """A registered phone, and a flooder at the same address who is ignored."""
    sources = Sources(FilterPolicy(rate=RATE, burst=BURST, ignored_s=1e6))
    sources.phones.add(HOST, PHONE, 100.0)
    hears(sources, FLOODER, 100.0, int(BURST) + 1)
    assert hears(sources, FLOODER, 100.0, 100) == 0
    return sources


def hears(sources: Sources, port: int, now: float, count: int = 1, host: str = HOST) -> int:
    """How many of `count` datagrams are heard."""
    return sum(sources.hears(sources.find(host, now), host, port, now) for _ in range(count))


def test_a_registered_phone_is_heard_beside_a_flooder() -> None:
    sources = flooded()
    heard = sum(hears(sources, PHONE, 100.0 + number / 5) for number in range(1000))
    assert heard == 1000
    assert hears(sources, FLOODER, 300.0) == 0


def test_a_flooder_that_has_registered_gains_little() -> None:
    sources = flooded()
    assert hears(sources, PHONE, 100.0, 1000) == SHARE * BURST
    assert hears(sources, PHONE, 110.0, 1000) == SHARE * BURST, "no more than a burst"
    assert hears(sources, PHONE, 111.0, 1000) == SHARE * RATE


def test_whoever_registers_from_many_ports_gains_what_one_source_has() -> None:
    sources = flooded()
    ports = range(1000, 2000)
    for port in ports:
        sources.phones.add(HOST, port, 100.0)
    assert sum(hears(sources, port, 100.0, 20) for port in ports) == BURST
    assert sum(hears(sources, port, 101.0, 1) for port in ports) == RATE


@pytest.mark.parametrize(("host", "port"), [("192.0.2.2", PHONE), (HOST, PHONE + 1)])
def test_address_and_port_count(host: str, port: int) -> None:
    phones = Phones(RATE, BURST)
    phones.add(HOST, PHONE, 100.0)
    assert phones.hears(HOST, PHONE, 100.0)
    assert not phones.hears(host, port, 100.0)


def test_a_bounded_number_is_remembered_and_who_registers_again_is() -> None:
    phones = Phones(RATE, BURST)
    phones.add("192.0.2.9", PHONE, 100.0)
    for number in range(2 * PHONES + 1):
        phones.add(f"10.0.{number // 250}.{number % 250}", PHONE, 100.0)
        if number % 1000 == 0:
            phones.add(HOST, PHONE, 100.0)
    assert phones.knows(HOST)
    assert phones.hears(HOST, PHONE, 100.0)
    assert not phones.knows("192.0.2.9")


def test_registering_again_fills_nobodys_bucket() -> None:
    phones = Phones(RATE, BURST)
    phones.add(HOST, PHONE, 100.0)
    while phones.hears(HOST, PHONE, 100.0):
        pass
    phones.add(HOST, PHONE, 100.0)
    assert not phones.hears(HOST, PHONE, 100.0)
    for number in range(PHONES):
        phones.add(f"10.0.{number // 250}.{number % 250}", PHONE, 100.0)
    phones.add(HOST, PHONE, 100.0)
    assert not phones.hears(HOST, PHONE, 100.0)
