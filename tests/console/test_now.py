"""The page Now, beside sockets that answer as a switchboard would."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import answering as answering
from console.conftest import HERE, Open, token_of
from survey.surveys import reading, survey

from switchboard.bus.context import BusContext
from switchboard.console.now import draw, figures
from switchboard.console.recent import Recent, RecentReader
from switchboard.console.watch import Look, Watch
from switchboard.registrar.binding import Binding
from switchboard.registrar.sqlite import SqliteStore
from switchboard.settings.model import Settings
from switchboard.survey.reading import moment


def test_the_latest_is_at_the_right_edge() -> None:
    chart = draw([(100.0, 0.0), (250.0, 4.0), (400.0, 2.0)], 300.0)
    assert chart.line == "0.0,46.0 120.0,2.0 240.0,24.0"
    assert chart.area == "0.0,48 0.0,46.0 120.0,2.0 240.0,24.0 240,48"
    assert (chart.top, chart.latest) == (4.0, 2.0)


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_little_stays_little(value: float) -> None:
    assert draw([(0.0, value)], 300.0).top == 1.0


Answering = Callable[[str, str, Any], list[Any]]
CALL = {
    "call_id": "a b&c",
    "caller": "sip:lukas@pbx.example.com",
    "callee": "sip:lenka@pbx.example.com",
    "started_at": "2026-11-24T10:00:00.000Z",
    "ringing_at": None,
    "answered_at": None,
    "state": "ringing",
}


def test_nothing_runs(open_console: Open) -> None:
    page = open_console().get("/").text
    assert page.count('<span class="badge bad">down</span>') == 9
    assert "The journal does not answer; calls go on without it." in page
    assert "Nobody is registered." in page


@pytest.fixture
def running(answering: Answering, data_dir: Any) -> list[Any]:
    """A journal with a call, a store with a phone; returns what the journal's parent was asked."""
    status = {"name": "journal", "instance": 0, "pid": None, "host": "pbx", "state": "up"}
    asked = answering("journal.control", "status", [{**status, "uptime_s": 65.0, "restarts": 2}])
    answering("journal.control", "restart", ["journal.0"])
    answering("journal.0.ask", "stats", {"items_in": 4})
    answering("journal.0.ask", "call.list", [CALL])
    store = SqliteStore(data_dir / "location.db")
    with store.batch():
        binding = Binding(
            "sip:lenka@10.0.0.7", 1.0, time.time() + 600, user_agent="Linphone <5>", source="10.0.0.7:5060"
        )
        store.put("lenka", [binding])
    store.close()
    return asked


@pytest.mark.usefixtures("running")
def test_calls_phones_and_workers(open_console: Open) -> None:
    page = open_console().get("/").text
    assert '<span class="badge fair">ringing</span>' in page
    assert 'href="/call?call_id=a%20b%26c"' in page
    assert "Linphone &lt;5&gt;" in page
    assert "10.0.0.7:5060" in page
    assert "1m 05s" in page


@pytest.mark.usefixtures("running")
def test_a_worker_that_cannot_write(open_console: Open, answering: Answering) -> None:
    browser = open_console()
    assert "cannot write" not in browser.get("/").text
    answering("journal.0.ask", "stats", {"items_in": 4, "write_error": 28})
    page = open_console().get("/").text
    assert "journal.0 is up, but cannot write: No space left on device." in page


def test_why_a_worker_is_not_up(open_console: Open, answering: Answering) -> None:
    status = {"name": "journal", "instance": 0, "pid": None, "host": "pbx", "state": "down", "uptime_s": 0.0}
    answering("journal.control", "status", [{**status, "restarts": 2, "why": "it is <odd>"}])
    assert "journal.0 is down: it is &lt;odd&gt;" in open_console().get("/").text


@pytest.mark.usefixtures("running")
def test_records_that_wait_for_a_database(open_console: Open, answering: Answering) -> None:
    answering("journal.0.ask", "stats", {"items_in": 4, "shipping_error": 111, "records_to_ship": 12})
    page = open_console().get("/").text
    assert "The database of call records cannot be used: Connection refused; records that wait: 12." in page


def test_a_call_that_goes_past_the_switchboard(open_console: Open, answering: Answering) -> None:
    answering("journal.0.ask", "call.list", [{**CALL, "state": "up", "past_us": True}])
    assert "its end may not be seen" in open_console().get("/").text


def test_restart(open_console: Open, running: list[Any]) -> None:
    browser = open_console()
    form = {"csrf": token_of(browser.get("/").text), "worker": "journal.0"}
    answer = browser.post("/restart", data=form, headers={"Origin": HERE})
    assert answer.headers["Location"] == "/?said=restarted"
    assert "journal.0" in running
    form["worker"] = "sshd.0"
    assert browser.post("/restart", data=form, headers={"Origin": HERE}).status_code == 404


def test_figures() -> None:
    def look(at: float, records: float, busy: float) -> Look:
        before = survey(at, reading("journal.0", records=0), reading("translator.0", responses__4xx=0))
        after = survey(
            at + 2, reading("journal.0", records=records), reading("translator.0", responses__4xx=busy)
        )
        return Look(at, moment(before, after, [CALL]), [CALL], [])

    found = {each.name: each for each in figures([look(0.0, 2, 0), look(2.0, 8, 3)])}
    assert found["Calls now"].value == 1
    assert found["Calls now"].note == "0 up, 1 not yet"
    assert found["Calls a second"].value == 4.0
    assert found["Calls a second"].chart.top == 4.0
    assert found["Refusals a second"].value == 1.5


def test_of_looks_that_are_past_numbers_are_kept(tmp_path: Path) -> None:
    """A hundred looks at thousands of calls each took gigabytes."""
    settings = Settings(data_dir=tmp_path)
    with BusContext() as context:
        watch = Watch(settings, context, RecentReader(settings, context))
        for at, calls in ((0.0, 3), (2.0, 2), (4.0, 1)):
            seen = moment(survey(at), survey(at + 2), calls * [CALL])
            watch._keep(Look(at, seen, calls * [CALL], [], 0.004))
    *past, latest = watch.looks
    assert [(each.calls, each.phones, each.moment.calls, each.recent) for each in past] == 2 * [
        (None, None, (), Recent())
    ]
    assert latest.calls == [CALL]
    shown = figures(watch.looks)[0]
    assert (shown.value, shown.chart.top) == (1, 3)


def test_the_added_delay() -> None:
    def look(at: float, answer_s: float | None) -> Look:
        return Look(at, moment(survey(at), survey(at + 2), []), [], [], answer_s)

    def delay(*looks: Look) -> tuple[float | None, str, str]:
        shown = figures(looks)[-1]
        assert (shown.name, shown.unit) == ("Added delay", "ms")
        return shown.value, shown.note, shown.chart.line

    assert delay(look(0.0, 0.004), look(2.0, None), look(4.0, 0.002)) == (
        2.0,
        "for an OPTIONS, up to 4.0 ms",
        "236.8,2.0 240.0,24.0",
    )
    assert delay(look(0.0, None))[:2] == (None, "no answer to an OPTIONS")


@pytest.mark.usefixtures("running")
def test_in_use(open_console: Open) -> None:
    page = open_console().get("/").text
    assert "Calls today" in page
    assert "Set up the first phones" not in page


def test_empty(open_console: Open, answering: Answering) -> None:
    answering("journal.0.ask", "call.list", [])
    page = open_console(sip_host="10.1.2.3", sip_port=5070).get("/").text
    for shown in ("Set up the first phones", 'data-text="10.1.2.3"', 'data-text="5070"', 'data-text="UDP"'):
        assert shown in page
    assert 'action="/demonstration"' in page
