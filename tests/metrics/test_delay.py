from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from switchboard.metrics.delay import DelayHistogram


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
