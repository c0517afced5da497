"""A survey as metric families. Label values are names of workers, queues and causes: bounded by the code."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switchboard.storage.writing import ERROR, FAILURES
from switchboard.survey.reading import RESPONSE_CLASSES, UP, Reading, Survey

PREFIX = "switchboard_"
_OF_QUEUES = (".sent", ".dropped", ".waiting")
_ANSWERED = "answered_"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which counters of a worker become which metric: a counter if it ends in `_total`, else a gauge."""

    metric: str
    documentation: str
    counters: tuple[tuple[str, str], ...]
    """(counter, value of `label`)"""
    label: str = ""


CAUSES = (
    "ended_by_peer",
    "reset",
    "bad_input",
    "half_a_message",
    "does_not_read",
    "does_not_answer",
    "idle_stranger",
    "idle",
    "not_made",
    "ended_early",
    "not_resumed",
)
"""As `transports/streams.py` has them."""


def _rule(metric: str, counter: str, documentation: str) -> Rule:
    return Rule(metric, documentation, ((counter, ""),))


_RULES = (
    _rule("worker_frames_total", "frames_in", "Frames that a worker took from the bus."),
    _rule("worker_items_total", "items_in", "Items in these frames: items a frame are the batch size."),
    Rule(
        "datagrams_received_total",
        "Datagrams that came from the network, by kind.",
        tuple((f"datagrams.{kind}", kind) for kind in ("message", "ping", "keep_alive", "stun")),
        "kind",
    ),
    _rule("datagrams_sent_total", "sent", "Datagrams that left."),
    Rule(
        "responses_total",
        "Responses that left through the translator, by class.",
        tuple((f"responses.{each}", each) for each in RESPONSE_CLASSES),
        "class",
    ),
    _rule("responses_untranslated_total", "untranslated", "Responses that went past an absent translator."),
    Rule(
        "transactions",
        "Transactions that a router holds.",
        (("server_transactions", "server"), ("client_transactions", "client")),
        "side",
    ),
    _rule("calls", "open_calls", "Calls that ring or are up."),
    _rule("call_records_total", "records", "Call detail records written."),
    _rule("registered_users", "users", "Users with at least one phone; each registrar knows all."),
    _rule("bindings", "bindings", "Phones that are registered; each registrar knows all."),
    _rule("registers_answered_total", "replied", "REGISTERs answered."),
    Rule(
        "trunks",
        "Trunks that are to be registered with a provider, and that are.",
        (("trunks", "wanted"), ("trunks_registered", "registered")),
        "state",
    ),
    _rule("trunk_registers_total", "trunk_registers", "REGISTERs that were sent to providers."),
    _rule(
        "trunk_refusals_total", "trunk_refusals", "How often a provider began to refuse, or was not there."
    ),
    _rule(
        "trunk_losses_total",
        "trunk_losses",
        "How often a provider was not reached any more between REGISTERs.",
    ),
    _rule(
        "registrars_away", "registrars_away", "Registrars that get no REGISTERs from this worker of the edge."
    ),
    _rule("registrar_followed", "registrar_followed", "The registrar whose changes a router follows."),
    _rule("location_up", "location.up", "1 if the shared location can be used, else 0."),
    _rule("location_conflicts_total", "location.conflicts", "Users whom another registrar changed first."),
    _rule("location_restored_total", "location.pushed", "Users whom the location had lost, put back."),
    _rule(
        "location_late_total", "location.late", "Changes for which nobody waited, as the location was slow."
    ),
    _rule("location_loads_total", "location.loads", "How often all users were read from the location."),
    _rule("location_foreign_total", "location.foreign", "Keys and values of others in our space."),
    Rule(
        "presence",
        "Subscriptions and publications that are kept.",
        (("subscriptions", "subscriptions"), ("publications", "publications")),
        "kind",
    ),
    Rule(
        "notifications_total",
        "NOTIFYs to watchers, and those that nobody took.",
        (("notified", "sent"), ("notify_failed", "failed")),
        "kind",
    ),
    _rule("watchers_refused_total", "watchers_refused", "Subscriptions that were refused (403, 503)."),
    Rule(
        "connections",
        "Connections of phones; of strangers, who have neither registered nor called; of those that read nothing now.",
        (
            ("connections", "all"),
            ("connections.strangers", "strangers"),
            ("connections.stalled", "not_reading"),
        ),
        "kind",
    ),
    Rule(
        "connection_messages_total",
        "Messages that came and left over connections, and those that could not leave.",
        (("messages.in", "received"), ("messages.out", "sent"), ("messages.failed", "failed")),
        "kind",
    ),
    Rule(
        "connections_ended_total",
        "Connections that have ended, by cause.",
        tuple((f"ended.{cause}", cause) for cause in CAUSES),
        "cause",
    ),
    _rule(
        "handed_on_again_total",
        "handed_on_again",
        "Messages that a receiver got again, being another process.",
    ),
    Rule(
        "connections_lost_total",
        "Bindings whose connection was closed: removed, or kept as the phone can be reached otherwise.",
        (("connections.dropped", "removed"), ("connections.unconnected", "kept")),
        "outcome",
    ),
    Rule(
        "lookups_total",
        "Look-ups of names in a router: made, answered from memory, refused, slow (1 s), and never answered.",
        (
            ("lookups", "made"),
            ("lookups_remembered", "remembered"),
            ("lookups_refused", "refused"),
            ("lookups_slow", "slow"),
            ("lookups_unanswered", "unanswered"),
        ),
        "kind",
    ),
    Rule(
        "media_calls_total",
        "Calls for which a router asked media engines: relayed, refused, ended for want of one, gone on without.",
        (
            ("media_relayed", "relayed"),
            ("media_failed", "refused"),
            ("media_lost", "ended"),
            ("media_unrelayed", "unrelayed"),
        ),
        "outcome",
    ),
    Rule(
        "media_voice_total",
        "Relayed calls that have ended, by the directions from which an engine got media.",
        (
            ("media_both_ways", "both"),
            ("media_one_way", "one"),
            ("media_silent", "none"),
            ("media_forgotten", "unknown"),
        ),
        "directions",
    ),
    _rule("media_engines_gone", "media_gone", "Media engines that do not answer a router."),
    _rule("log_bytes", "log_bytes", "Size of a router's write-ahead log."),
    _rule("log_entries", "log_entries", "Living entries of a router's write-ahead log."),
    _rule(
        "worker_write_error", ERROR, "0 if a worker can write what it keeps, else the system's error number."
    ),
    _rule("worker_write_failures_total", FAILURES, "Tries to write that failed."),
    Rule(
        "dropped_total",
        "What a worker lost or could not use, by cause.",
        (
            ("events_dropped", "events_queue_full"),
            ("bad_items", "bad_item"),
            ("bad_frames", "bad_frame"),
            ("bad_casts", "bad_cast"),
            ("failed", "send_failed"),
            ("dropped", "no_request"),
            ("strangers_refused", "stranger"),
            ("stray_acks", "stray_ack"),
            ("unreachable_acks", "unreachable_ack"),
            ("malformed_message", "malformed_message"),
            ("unanswerable", "unanswerable_register"),
        ),
        "cause",
    ),
)
_QUEUES = {
    "events_waiting": "call events",
    "acknowledgements_waiting": "acknowledgements",
    "lookups_waiting": "names",
    "media_waiting": "media engines",
}
_KNOWN = {counter for rule in _RULES for counter, _ in rule.counters} | _QUEUES.keys()


@dataclass(slots=True)
class _Families:
    """The families, in the order of their first sample."""

    found: dict[str, Metric] = field(default_factory=dict)

    def add(self, name: str, documentation: str, value: float, labels: dict[str, str]) -> None:
        """One sample; all samples of a family have the same labels."""
        make = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family = self.found.get(name)
        if family is None:
            family = self.found[name] = make(PREFIX + name, documentation, labels=list(labels))
        family.add_metric(list(labels.values()), value)  # type: ignore[attr-defined]


def families(survey: Survey) -> Iterator[Metric]:
    """All that a survey tells, worker by worker."""
    made = _Families()
    made.add("ready", "1 if all workers are up, else 0.", not survey.not_up(), {})
    for worker in survey.workers:
        _add_process(made, worker)
        for rule in _RULES:
            _add_rule(made, rule, worker)
        _add_queues(made, worker)
        _add_others(made, worker)
    return iter(made.found.values())


def _add_process(made: _Families, worker: Reading) -> None:
    labels = {"worker": str(worker)}
    made.add("worker_up", "1 if the worker is up, else 0.", worker.state == UP, labels)
    made.add("worker_restarts_total", "Starts of a worker after its first.", worker.restarts, labels)
    made.add("worker_uptime_seconds", "How long a worker has been up.", worker.uptime_s, labels)
    if worker.usage:
        cpu = "Processor time of a worker since its start."
        made.add("worker_cpu_seconds_total", cpu, worker.usage.cpu_s, labels)
        memory = "Memory that a worker holds."
        made.add("worker_resident_memory_bytes", memory, worker.usage.memory_bytes, labels)


def _add_rule(made: _Families, rule: Rule, worker: Reading) -> None:
    for counter, value in rule.counters:
        if counter in worker.counters:
            labels = {"worker": str(worker)} | ({rule.label: value} if rule.label else {})
            made.add(rule.metric, rule.documentation, worker.counters[counter], labels)


def _add_queues(made: _Families, worker: Reading) -> None:
    """The outboxes of a worker, PEER.SUBJECT each, and the other queues."""
    for name, value in worker.counters.items():
        queue, _, what = name.rpartition(".")
        labels = {"worker": str(worker), "queue": _QUEUES.get(name, queue)}
        if name in _QUEUES or (queue and what == "waiting"):
            made.add("queue_items", "Items that wait in a queue of a worker.", value, labels)
        elif queue and what == "sent":
            made.add("queue_sent_total", "Items that left a queue for their peer.", value, labels)
        elif queue and what == "dropped":
            made.add("queue_dropped_total", "Items that a full queue lost.", value, labels)


def _add_others(made: _Families, worker: Reading) -> None:
    """Answers of its own by status, and every counter that has no metric of its own."""
    for name, value in worker.counters.items():
        labels = {"worker": str(worker)}
        if name.startswith(_ANSWERED):
            labels["status"] = name.removeprefix(_ANSWERED)
            made.add(
                "requests_answered_total", "Requests that a router answered itself, by status.", value, labels
            )
        elif name not in _KNOWN and not name.endswith(_OF_QUEUES):
            labels["name"] = name
            made.add("worker_statistic", "Any other count of a worker, by its own name.", value, labels)
