"""One answer to a scrape: asks all workers and probes the edge (I/O rim)."""

import threading
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from switchboard.metrics.delay import DelayHistogram
from switchboard.metrics.families import PREFIX, families
from switchboard.metrics.kernel import kernel_drops
from switchboard.settings.model import Settings
from switchboard.settings.site import is_here, open_context
from switchboard.survey.ask import take_survey
from switchboard.survey.ping import answer_s
from switchboard.survey.reading import Survey

PROBES = 5
PROBE_WITHIN_S = 0.5
EDGE = "edge-rx.0"


class Exposition(Collector):
    """Collects when it is asked, one scrape at a time; costs nothing while nobody asks.

    The delay is that of OPTIONS requests, PROBES a scrape: they pass edge-rx, a router, the translator and
    edge-tx as calls do, so the forwarding path measures nothing itself.
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
                f"{PREFIX}probe_seconds", "How long an OPTIONS took through edge, router and translator."
            )
            yield _counter("probes_unanswered", "OPTIONS without an answer.", self._unanswered)
            if is_here(EDGE, self._settings):
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
