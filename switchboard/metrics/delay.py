"""How long the switchboard takes to answer, as a cumulative histogram."""

from bisect import bisect_left

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds: an idle switchboard needs about a millisecond, RFC 3261 repeats a request after 0.5 s."""


class DelayHistogram:
    """Counts delays since its start. Owned by one exposition."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, delay_s: float) -> None:
        """Count one."""
        self._counts[bisect_left(BOUNDS_S, delay_s)] += 1
        self._sum_s += delay_s

    def family(self, name: str, documentation: str) -> Metric:
        """What has been counted, for Prometheus."""
        bounds = [*map(floatToGoString, BOUNDS_S), "+Inf"]
        totals = [sum(self._counts[: position + 1]) for position in range(len(bounds))]
        buckets = list(zip(bounds, totals, strict=True))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self._sum_s)
