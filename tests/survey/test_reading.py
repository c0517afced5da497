"""None"""

import json
from dataclasses import replace

import pytest
from survey.surveys import reading, survey

from switchboard.survey.reading import Usage, WorkerRates, lost, moment, rates, waiting, worker_rates


def test_who_is_not_up() -> None:
    assert survey(0.0, reading("router.0"), reading("router.1", state="down")).not_up() == ["router.1"]


def test_total_over_the_instances() -> None:
    found = survey(0.0, reading("router.0", a=1), reading("router.1", a=2), reading("journal.0", a=4))
    assert found.total("router", "a") == 3
    assert found.total("router", "b") == 0


def test_messages_and_processor_time_of_a_worker() -> None:
    before = survey(10.0, reading("router.0", items_in=100))
    after = survey(12.0, replace(reading("router.0", items_in=150), usage=Usage(2.5, 1)))
    assert worker_rates(before, after) == {"router.0": WorkerRates(25.0, 25.0)}


def test_edge_rx_has_no_inbox_and_counts_datagrams() -> None:
    before = survey(0.0, reading("edge-rx.0", items_in=0, datagrams__message=10))
    after = survey(1.0, reading("edge-rx.0", items_in=0, datagrams__message=40))
    assert worker_rates(before, after)["edge-rx.0"].messages_s == 30.0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (reading("router.0", 1, items_in=9), reading("router.0", 2, items_in=1), WorkerRates(None, None)),
        (reading("router.0", 1, items_in=9), reading("router.0", 1), WorkerRates(0.0, None)),
        (reading("router.1", 1, items_in=9), reading("router.0", 1, items_in=9), WorkerRates(None, None)),
    ],
    ids=["another process", "no answer", "another worker"],
)
def test_no_rate_without_two_readings(before: object, after: object, expected: WorkerRates) -> None:
    assert worker_rates(survey(0.0, before), survey(1.0, after))["router.0"] == expected  # type: ignore[arg-type]


def test_rates_of_the_whole() -> None:
    before = survey(
        0.0,
        reading("edge-rx.0", datagrams__message=10),
        reading("edge-tx.0", sent=10),
        reading("registrar.0", replied=1),
        reading("translator.0", responses__2xx=5, responses__4xx=1),
        reading("journal.0", records=3, open_calls=2),
    )
    after = survey(
        2.0,
        reading("edge-rx.0", datagrams__message=30),
        reading("edge-tx.0", sent=50),
        reading("registrar.0", replied=5),
        reading("translator.0", responses__2xx=9, responses__4xx=1),
        reading("journal.0", records=6, open_calls=1),
    )
    found = rates(before, after)
    assert (found.received_s, found.sent_s, found.registers_s, found.calls_s) == (10.0, 20.0, 2.0, 1.0)
    assert (found.responses_s["2xx"], found.responses_s["4xx"]) == (2.0, 0.0)


def test_a_worker_that_began_anew_counts_from_zero() -> None:
    before = survey(0.0, reading("edge-tx.0", 1, sent=1000))
    after = survey(1.0, reading("edge-tx.0", 2, sent=7))
    assert rates(before, after).sent_s == 7.0


def test_our_own_questions_are_no_traffic() -> None:
    before = survey(0.0, reading("edge-rx.0", datagrams__message=0), reading("router.0", probes=0, sent=0))
    after = survey(
        2.0,
        reading("edge-rx.0", datagrams__message=6),
        reading("router.0", probes=2, sent=6, responses__2xx=2, responses__4xx=4),
    )
    found = rates(before, after)
    assert (found.received_s, found.sent_s) == (2.0, 2.0)
    assert (found.responses_s["2xx"], found.responses_s["4xx"]) == (0.0, 2.0)


def test_what_waits_and_what_was_lost() -> None:
    counters = {
        "edge-tx.sip.send.waiting": 3,
        "events_waiting": 4,
        "edge-tx.sip.send.dropped": 1,
        "events_dropped": 2,
        "bad_items": 5,
        "sent": 9,
        "auth_failed": 60,
    }
    found = replace(reading("router.0"), counters=counters)
    assert (waiting(found), lost(found)) == (7, 8)


def test_moment_as_json() -> None:
    before = survey(0.0, reading("registrar.0", users=2, bindings=3), reading("router.0", state="down"))
    after = survey(1.0, *before.workers)
    found = json.loads(json.dumps(moment(before, after, [{"call_id": "a"}]).to_map()))
    assert found["registered"] == {"users": 2, "bindings": 3}
    assert (found["not_up"], found["calls"]) == (["router.0"], [{"call_id": "a"}])
    worker = found["workers"][0]
    assert (worker["name"], worker["memory_bytes"], worker["cpu_percent"]) == ("registrar", 50_000_000, 0.0)


def test_why_records_wait_and_how_many() -> None:
    assert reading("journal.0", shipping_error=0, records_to_ship=3).cannot_ship == ""
    waits = reading("journal.0", shipping_error=111, records_to_ship=3)
    assert waits.cannot_ship == "Connection refused; records that wait: 3"


def test_who_cannot_write_and_why() -> None:
    full = replace(reading("router.0"), counters={"write_error": 28})
    now = survey(0.0, full, reading("journal.0", write_error=0), reading("edge-rx.0"))
    assert now.cannot_write() == {"router.0": "No space left on device"}
    found = json.loads(json.dumps(moment(now, survey(1.0, *now.workers), []).to_map()))
    assert found["cannot_write"] == {"router.0": "No space left on device"}
    assert [each["cannot_write"] for each in found["workers"]] == ["No space left on device", "", ""]
