from dataclasses import replace

from survey.surveys import reading, survey

from switchboard.metrics.families import families
from switchboard.survey.reading import Survey

FULL = survey(
    0.0,
    reading("edge-rx.0", datagrams__message=9, dropped=1),
    reading("translator.0", responses__2xx=5, responses=5),
    reading(
        "router.0",
        frames_in=2,
        items_in=8,
        server_transactions=3,
        answered_404=2,
        events_waiting=4,
        snapshots=1,
        lookups=7,
        lookups_waiting=5,
    ),
    reading("edge-stream.0", connections=3, connections__strangers=1, messages__in=7, ended__reset=2),
    reading("journal.0", state="down"),
)


def samples(found: Survey) -> dict[tuple[str, ...], float]:
    """(name, label values in order of their names) -> value."""
    return {
        (each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
        for family in families(found)
        for each in family.samples
    }


def test_counters_become_metrics() -> None:
    found = samples(FULL)
    assert found["switchboard_ready",] == 0
    assert found["switchboard_worker_up", "router.0"] == 1
    assert found["switchboard_worker_up", "journal.0"] == 0
    assert found["switchboard_datagrams_received_total", "message", "edge-rx.0"] == 9
    assert found["switchboard_responses_total", "2xx", "translator.0"] == 5
    assert found["switchboard_transactions", "server", "router.0"] == 3
    assert found["switchboard_dropped_total", "no_request", "edge-rx.0"] == 1
    assert found["switchboard_requests_answered_total", "404", "router.0"] == 2
    assert found["switchboard_lookups_total", "made", "router.0"] == 7
    assert found["switchboard_connections", "all", "edge-stream.0"] == 3
    assert found["switchboard_connections", "strangers", "edge-stream.0"] == 1
    assert found["switchboard_connection_messages_total", "received", "edge-stream.0"] == 7
    assert found["switchboard_connections_ended_total", "reset", "edge-stream.0"] == 2
    assert found["switchboard_queue_items", "names", "router.0"] == 5
    assert found["switchboard_worker_cpu_seconds_total", "router.0"] == 2.0


def test_queues() -> None:

    counters = {
        "edge-tx.0.sip.send.sent": 7,
        "edge-tx.0.sip.send.dropped": 1,
        "edge-tx.0.sip.send.waiting": 2,
    }
    found = samples(survey(0.0, replace(reading("router.0"), counters=counters | {"events_waiting": 4})))
    assert found["switchboard_queue_sent_total", "edge-tx.0.sip.send", "router.0"] == 7
    assert found["switchboard_queue_dropped_total", "edge-tx.0.sip.send", "router.0"] == 1
    assert found["switchboard_queue_items", "edge-tx.0.sip.send", "router.0"] == 2
    assert found["switchboard_queue_items", "call events", "router.0"] == 4


def test_a_count_without_a_metric_of_its_own_is_not_lost() -> None:
    found = samples(FULL)
    assert found["switchboard_worker_statistic", "snapshots", "router.0"] == 1
    assert ("switchboard_worker_statistic", "frames_in", "router.0") not in found


def test_samples_of_a_family_share_their_labels() -> None:
    for family in families(FULL):
        assert len({tuple(each.labels) for each in family.samples}) == 1


def test_who_cannot_write() -> None:
    found = samples(survey(0.0, reading("router.0", write_error=28, write_failures=4)))
    assert found["switchboard_worker_write_error", "router.0"] == 28
    assert found["switchboard_worker_write_failures_total", "router.0"] == 4
