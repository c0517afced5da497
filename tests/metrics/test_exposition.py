"""None"""

import socket
import sys

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from switchboard.metrics.exposition import DelayHistogram, dropped_at, kernel_drops


class One(Collector):
    def __init__(self, family: Metric) -> None:
        self.family = family

    def collect(self) -> list[Metric]:
        return [self.family]


def test_buckets_are_cumulative_and_bounds_belong_to_them() -> None:
    histogram = DelayHistogram()
    for delay_s in (0.0004, 0.001, 0.3, 7.0):
        histogram.observe(delay_s)
    family = histogram.family("delay_seconds", "How long.")
    counts = {each.labels.get("le", each.name): each.value for each in family.samples}
    assert [counts[le] for le in ("0.0005", "0.001", "0.25", "0.5", "1.0", "+Inf")] == [1, 2, 2, 3, 3, 4]
    assert counts["delay_seconds_sum"] == 7.3014
    registry = CollectorRegistry()
    registry.register(One(family))
    assert b"# TYPE delay_seconds histogram\n" in generate_latest(registry)


TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm retrnsmt uid timeout inode ref pointer drops
  377: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:0 00000000 0 0 1 2 0000000000000000 7
  378: 00000000:13C4 00000000:0000 07 00000000:00000000 00:0 00000000 0 0 2 2 0000000000000000 5
  379: 00000000:13C5 00000000:0000 07 00000000:00000000 00:0 00000000 0 0 3 2 0000000000000000 9

"""


def test_drops_of_our_port() -> None:
    assert dropped_at(5060, TABLE) == 12
    assert dropped_at(5062, TABLE) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's table is Linux's")
def test_the_kernel_counts_what_a_full_buffer_loses() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.bind(("127.0.0.1", 0))
        for _ in range(50):
            sock.sendto(b"x" * 1000, sock.getsockname())
        assert 0 < kernel_drops(sock.getsockname()[1]) < 50
