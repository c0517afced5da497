"""The metrics as Prometheus reads them (text format 0.0.4)."""

import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from switchboard.metrics.families import PREFIX, families
from switchboard.settings.model import Settings
from switchboard.settings.site import edge_here, open_context
from switchboard.survey.ask import take_survey
from switchboard.survey.ping import answer_s
from switchboard.survey.reading import Survey

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


_TABLES = ("/proc/net/udp", "/proc/net/udp6")


def kernel_drops(port: int) -> int:
    """How many of those for our UDP port, since its sockets were made (I/O)."""
    return sum(dropped_at(port, text) for text in _read_tables())


def dropped_at(port: int, table: str) -> int:
    """The drops of that port: of each line the last field, where the second is ADDRESS:PORT in hex."""
    rows = (line.split() for line in table.splitlines()[1:])
    return sum(int(row[-1]) for row in rows if row and int(row[1].rpartition(":")[2], 16) == port)


def _read_tables() -> Iterator[str]:
    for path in _TABLES:
        with suppress(OSError):  # no Linux, or no IPv6
            yield Path(path).read_text()


PROBES = 5
PROBE_WITHIN_S = 0.5


class Exposition(Collector):
    """Collects when it is asked, one scrape at a time; costs nothing while nobody asks.

    The delay is that of OPTIONS requests, PROBES a scrape: they pass edge-rx and a router as calls do, so the
    forwarding path measures nothing itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._delays = DelayHistogram()
        self._unanswered = 0
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """The text format of Prometheus, version 0.0.4."""
        return generate_latest(self._registry)

    def survey(self) -> Survey:
        """How all workers are now."""
        with open_context(self._settings) as context:
            return take_survey(self._settings, context)

    def describe(self) -> list[Metric]:
        """Nothing beforehand: the registry would collect to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, for the registry."""
        with self._lock:
            survey = self.survey()
            if len(survey.not_up()) < len(survey.workers):
                self._probe()
            yield from families(survey)
            yield self._delays.family(
                f"{PREFIX}probe_seconds", "How long an OPTIONS took through edge and router."
            )
            yield _counter("probes_unanswered", "OPTIONS without an answer.", self._unanswered)
            if edge_here(self._settings) is not None:
                drops = kernel_drops(self._settings.sip_port)
                yield _counter("kernel_dropped_datagrams", "Datagrams that a full buffer lost.", drops)

    def _probe(self) -> None:
        for _ in range(PROBES):
            delay_s = answer_s(self._settings, PROBE_WITHIN_S)
            if delay_s is None:
                self._unanswered += 1
                return
            self._delays.observe(delay_s)


def _counter(name: str, documentation: str, value: int) -> Metric:
    return CounterMetricFamily(f"{PREFIX}{name}", documentation, value=value)
