"""The page Journal."""

import re
from collections import Counter
from html import unescape
from pathlib import Path

import pytest
from console.conftest import Open

from switchboard.console.journal import BARS, MOST_CHARTED, Bar, Day, bars
from switchboard.journal.record import CallDetailRecord


def record(number: int, **changes: object) -> CallDetailRecord:
    values: dict[str, object] = {
        "call_id": f"call-{number}",
        "caller": "sip:lukas@pbx.example.com",
        "callee": "sip:lenka@pbx.example.com",
        "started_at": f"2026-11-{number % 28 + 1:02}T10:00:00.000Z",
        "ringing_at": None,
        "answered_at": f"2026-11-{number % 28 + 1:02}T10:00:01.000Z",
        "ended_at": f"2026-11-{number % 28 + 1:02}T10:01:01.000Z",
        "duration_s": 60.0,
        "outcome": "answered",
        "status": 200,
        "ended_by": "caller",
    }
    return CallDetailRecord.model_validate(values | changes)


@pytest.fixture
def journal(data_dir: Path) -> Path:
    path = data_dir / "cdr.jsonl"
    records = [
        record(1),
        record(
            2,
            callee="sip:marek@pbx.example.com",
            outcome="busy",
            status=486,
            answered_at=None,
            duration_s=0.0,
        ),
        record(3, caller="sip:=cmd@evil.example.net", outcome="failed", status=488, answered_at=None),
    ]
    path.write_bytes(b"".join(each.to_line() for each in records) + b"torn")
    return path


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("outcome=missed", ["call-2"]),
        ("", ["call-3", "call-2", "call-1"]),
        ("user=MAREK", ["call-2"]),
        ("outcome=busy", ["call-2"]),
        ("outcome=answered&user=lenka", ["call-1"]),
        ("since=2026-11-03", ["call-3", "call-2"]),
        ("until=2026-11-02", ["call-1"]),
        ("call_id=call-3", ["call-3"]),
        ("user=nobody", []),
    ],
)
def test_search(open_console: Open, query: str, found: list[str]) -> None:
    page = open_console().get(f"/journal?{query}").text
    assert [part.partition('"')[0] for part in page.split("/call?call_id=")[1:]] == found
    assert ("No call matches." in page) is not bool(found)


def test_before_the_first_call(open_console: Open) -> None:
    assert "No call has ended yet." in open_console().get("/journal").text


def test_a_day_that_is_none(open_console: Open) -> None:
    assert "is no day such as" in open_console().get("/journal?since=yesterday").text


@pytest.mark.usefixtures("journal")
def test_totals(open_console: Open) -> None:
    page = open_console().get("/journal/days").text
    days = [part.partition("<")[0] for part in page.split('">2026-')[1:]]
    assert days == ["11-04", "11-03", "11-02"]


@pytest.mark.usefixtures("journal")
def test_the_list_has_a_chart_of_what_it_shows(open_console: Open) -> None:
    browser = open_console()
    assert '<a href="/journal?since=2026-11-03&amp;until=2026-11-03"' in browser.get("/journal").text
    missed = browser.get("/journal?user=example.net&outcome=failed").text
    assert "<figure" not in missed, "one day is no chart"
    chosen = browser.get("/journal?user=sip").text
    assert 'until=2026-11-03&amp;user=sip" aria-label="2026-11-03: 1 call"' in chosen
    assert "<figure" not in browser.get("/journal?skip=100").text


def test_a_chart_counts_so_many_at_most(open_console: Open, data_dir: Path) -> None:
    lines = [record(1 + number % 2).to_line() for number in range(MOST_CHARTED + 10)]
    (data_dir / "cdr.jsonl").write_bytes(b"".join(lines))
    assert f"Of the last {MOST_CHARTED} calls" in open_console().get("/journal").text


@pytest.mark.usefixtures("journal")
def test_csv_is_safe_for_spreadsheets(open_console: Open) -> None:
    answer = open_console().get("/journal.csv?outcome=failed")
    heading, line = answer.text.splitlines()
    assert heading.startswith("call_id,caller,callee,started_at")
    assert line.startswith("call-3,sip:=cmd@evil.example.net,")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="journal.csv"'


def test_pages(open_console: Open, data_dir: Path) -> None:
    lines = [record(number).to_line() for number in range(250)]
    (data_dir / "cdr.jsonl").write_bytes(b"".join(lines))
    browser = open_console()
    first, last = browser.get("/journal").text, browser.get("/journal?skip=200").text
    assert ("call-249" in first, "call-149" in first, "skip=100" in first) == (True, False, True)
    assert ("call-49" in last, "Older" in last, "Newer" in last) == (True, False, True)


def test_a_call_whose_end_was_not_seen(open_console: Open, data_dir: Path) -> None:
    (data_dir / "cdr.jsonl").write_bytes(record(1, ended_by="unseen").to_line())
    page = open_console().get("/journal").text
    assert "at least 1m 00s" in page
    assert "its end was not seen" in page


def test_what_phones_say_is_no_markup(open_console: Open, data_dir: Path) -> None:
    evil = record(1, caller='sip:<script>alert(1)</script>@x"y', call_id='"><img src=x>')
    (data_dir / "cdr.jsonl").write_bytes(evil.to_line())
    page = open_console().get("/journal").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_the_chart_has_a_place_for_each_day() -> None:
    days = [Day("2026-03-02", Counter(answered=3, busy=1)), Day("2026-02-28", Counter(answered=1, busy=1))]
    shown = bars(days)
    assert (len(shown), shown[0].day) == (BARS, "2026-01-31")
    assert shown[-3:] == [
        Bar("2026-02-28", 2, 50.0, 25.0),
        Bar("2026-03-01", 0, 0.0, 0.0),
        Bar("2026-03-02", 4, 100.0, 75.0),
    ]
    assert bars([]) == []


def test_quick_searches(open_console: Open) -> None:
    browser = open_console()
    page = browser.get("/journal").text
    assert re.search(r'<a href="/journal" aria-current="true">All</a>', page)
    (week,) = re.findall(r'<a href="(/journal\?[^"]*)">Last 7 days</a>', page)
    assert f'<a href="{week}" aria-current="true">' in browser.get(unescape(week)).text
    assert browser.get("/journal?outcome=missed").status_code == 200


def test_one_way_voice_is_told(open_console: Open, data_dir: Path) -> None:
    told = [
        {"engine": "rtpengine://127.0.0.1:2223", "from_caller": 9, "from_callee": each} for each in (0, 9)
    ]
    records = [record(number, relayed=each) for number, each in enumerate(told)]
    (data_dir / "cdr.jsonl").write_bytes(b"".join(each.to_line() for each in records))
    page = open_console().get("/journal").text
    assert page.count("one-way voice") == 1
    assert page.index("call-1") < page.index("one-way voice") < page.index("call_id=call-0")
