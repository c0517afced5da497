"""The kernel's UDP counters."""

from bench.speed.datagrams import Datagrams, count_datagrams, parse_snmp

SNMP = """Ip: Forwarding DefaultTTL
Ip: 1 64
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 10 1 7 20 6 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
UdpLite: 0 0 0 0 0 0
"""


def test_counters_by_their_names() -> None:
    assert parse_snmp(SNMP) == Datagrams(sent=20, dropped=6)


def test_this_kernel_has_them() -> None:
    assert count_datagrams().sent >= 0
