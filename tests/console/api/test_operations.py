"""What the operations of the API show and do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from console.api.conftest import CONTACT, Ask
from console.conftest import Open
from console.test_flows import listed
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from switchboard.auth.api_tokens import ApiTokens
from switchboard.console.api import reading
from switchboard.history.seen import Address, Direction, Seen
from switchboard.history.store import HistoryStore, Limits
from switchboard.journal.record import CallDetailRecord, Outcome, Party

Answering = Callable[[str, str, Any], list[Any]]
RECORD = CallDetailRecord(
    call_id="0",
    caller="sip:lukas@office",
    callee="sip:lenka@office",
    started_at="2026-11-24T10:00:00.000Z",
    ringing_at=None,
    answered_at=None,
    ended_at="2026-11-24T10:00:09.000Z",
    duration_s=0.0,
    outcome=Outcome.CANCELLED,
    status=487,
    ended_by=Party.CALLER,
)


def keep(data_dir: Path, count: int) -> None:
    """A journal of records whose Call-IDs are "0", "1", …"""
    lines = [RECORD.model_copy(update={"call_id": str(each)}).to_line() for each in range(count)]
    (data_dir / "cdr.jsonl").write_bytes(b"".join(lines))


def pages(ask: Ask, path: str, name: str, **params: Any) -> list[list[Any]]:
    """The lists called `name` of all pages."""
    found, cursor = [], ""
    while cursor is not None:
        answer = ask("GET", path, params={**params, "cursor": cursor}).json()
        found.append(answer[name])
        cursor = answer["next"]
    return found


def test_users_are_added_listed_renamed_and_removed(ask: Ask) -> None:
    with capture_logs() as logs:
        made = ask("POST", "/users", json={"user": "lukas", "display_name": "Lukáš"})
        assert (made.status_code, len(made.json()["password"])) == (201, 20)
        assert ask("POST", "/users", json={"user": "lukas"}).status_code == 409
        assert ask("PATCH", "/users/lukas", json={"display_name": "Office"}).status_code == 204
        again = ask("POST", "/users/lukas/password")
        assert again.json()["password"] not in ("", made.json()["password"])
        shown = ask("GET", "/users/lukas").json()
        assert (shown["display_name"], shown["bindings"], shown["is_void"]) == ("Office", [], False)
        assert ask("DELETE", "/users/lukas").status_code == 204
    assert [ask(*each).status_code for each in (("GET", "/users/lukas"), ("DELETE", "/users/lukas"))] == [
        404
    ] * 2
    told = [(each["event"], each["token"], each["user"]) for each in logs]
    assert told == [
        (what, "office", "lukas")
        for what in (
            "user added",
            "user has a new display name",
            "user has a new password",
            "user removed",
        )
    ]
    assert made.json()["password"] not in str(logs)


def test_users_come_in_pages_by_name(ask: Ask) -> None:
    for name in ("b/1", "a", "b%2", "c"):
        assert ask("POST", "/users", json={"user": name}).status_code == 201
    found = pages(ask, "/users", "users", limit=3)
    assert [[each["user"] for each in page] for page in found] == [["a", "b%2", "b/1"], ["c"]]
    begins = ask("GET", "/users", params={"prefix": "b"}).json()
    assert ([each["user"] for each in begins["users"]], begins["next"]) == (["b%2", "b/1"], None)
    assert ask("GET", "/users/b%2F1").json()["user"] == "b/1"
    assert ask("DELETE", "/users/b%252").status_code == 204


def test_bindings_are_listed_and_removed(ask: Ask) -> None:
    (found,) = ask("GET", "/bindings", params={"user": "len*", "agent": "yea"}).json()["bindings"]
    assert (found["user"], found["contact"]) == ("lenka", CONTACT)
    assert ask("GET", "/users/lenka").json()["bindings"][0]["contact"] == CONTACT
    assert ask("GET", "/bindings", params={"user": "lukas"}).json() == {"next": None, "bindings": []}
    wanted = {"user": "lenka", "contact": CONTACT}
    assert ask("DELETE", "/bindings", params=wanted).status_code == 204
    assert ask("DELETE", "/bindings", params=wanted).status_code == 404
    assert ask("GET", "/bindings").json()["bindings"] == []


def test_bindings_come_in_pages(open_console: Open, answering: Answering, tokens: ApiTokens) -> None:
    binding = {"contact_uri": "sip:a@h", "q": 1.0, "left_s": 1.0, "source": "h:1", "user_agent": ""}
    users = [[f"u{number}", [binding]] for number in range(5)]
    asked = answering("registrar.0.ask", "location.list", ["beef", users, 7])
    browser, headers = open_console(), {"Authorization": f"Bearer {tokens.add('one', True, 1.0)}"}
    shown, cursor = [], ""
    for _ in range(3):
        answer = browser.get(f"/api/v1/bindings?limit=2&cursor={cursor}", headers=headers).json()
        shown += [each["user"] for each in answer["bindings"]]
        cursor = answer["next"]
    assert (shown, cursor) == (["u0", "u1", "u2", "u3", "u4"], "beef.7.0")
    assert [(life, at) for life, at, _ in asked] == [("", 0), ("beef", 0), ("beef", 0)]


def test_connections_come_in_pages(open_console: Open, answering: Answering, tokens: ApiTokens) -> None:
    listed(answering, 5)
    browser, headers = open_console(), {"Authorization": f"Bearer {tokens.add('one', True, 1.0)}"}
    shown, cursor = [], ""
    while cursor is not None:
        answer = browser.get(f"/api/v1/connections?limit=2&cursor={cursor}", headers=headers).json()
        assert (answer["found"], answer["total"]) == (5, 5)
        shown += [each["user"] for each in answer["connections"]]
        cursor = answer["next"]
    assert shown == ["user0", "user1", "user2", "user3", "user4"]
    one = browser.get("/api/v1/connections?text=ER3", headers=headers).json()
    assert [one["found"], one["total"], one["connections"][0]["host"]] == [1, 5, "10.0.0.3"]
    assert browser.get("/api/v1/connections?cursor=99", headers=headers).json()["connections"] == []


def test_connections_of_an_edge_stream_that_is_silent(
    open_console: Open, tokens: ApiTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.survey.connections.ANSWER_S", 0.1)
    headers = {"Authorization": f"Bearer {tokens.add('one', True, 1.0)}"}
    answer = open_console().get("/api/v1/connections", headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (503, 503)


def test_the_journal_comes_in_pages_the_last_first(ask: Ask, data_dir: Path) -> None:
    keep(data_dir, 7)
    found = pages(ask, "/journal", "records", limit=3)
    assert [[each["call_id"] for each in page] for page in found] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    one = ask("GET", "/journal", params={"call_id": "3", "user": "LENKA", "outcome": "cancelled"}).json()
    assert [each["call_id"] for each in one["records"]] == ["3"]
    assert len(ask("GET", "/journal", params={"outcome": "missed"}).json()["records"]) == 7
    for nothing in ({"since": "2026-11-26"}, {"until": "2026-11-22"}, {"outcome": "busy"}):
        assert ask("GET", "/journal", params=nothing).json() == {"next": None, "records": []}


def test_one_request_reads_only_so_much_of_the_journal(
    ask: Ask, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(data_dir, 100)
    size = len(RECORD.to_line())
    monkeypatch.setattr("switchboard.journal.file.PART_BYTES", 10 * size)
    first = ask("GET", "/journal", params={"call_id": "3"}).json()
    assert first["records"] == []
    assert int(first["next"]) > (90 - 10 * reading.PARTS) * size
    found = pages(ask, "/journal", "records", call_id="3")
    assert [each["call_id"] for page in found for each in page] == ["3"]
    since = ask("GET", "/journal", params={"since": "2026-11-25", "call_id": "3"}).json()
    assert since == {"next": None, "records": []}, "all older calls had ended before"


def test_a_journal_elsewhere_is_asked_for(
    open_console: Open, answering: Answering, tokens: ApiTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.console.api.reading.is_here", lambda *_: False)
    asked = answering("journal.0.ask", "record.before", [0, [RECORD.to_line()]])
    headers = {"Authorization": f"Bearer {tokens.add('one', True, 1.0)}"}
    answer = open_console().get("/api/v1/journal", headers=headers).json()
    assert ([each["call_id"] for each in answer["records"]], answer["next"], asked) == (["0"], None, [-1])


def test_a_call_is_told_and_its_secrets_are_masked(ask: Ask, data_dir: Path) -> None:
    store = HistoryStore(data_dir / "history.db", Limits(calls=9, age_s=3600, bytes=1 << 20))
    phone, ours = Address("10.0.0.7", 5060), Address("10.0.0.1", 5060)
    raw = (
        b"INVITE sip:lenka@office SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bK1\r\n"
        b"From: <sip:lukas@office>;tag=1\r\nTo: <sip:lenka@office>\r\nCall-ID: a/b\r\nCSeq: 1 INVITE\r\n"
        b'Proxy-Authorization: Digest response="c0ffee"\r\n\r\n'
    )
    store.add({"a/b": [Seen(time.time_ns(), phone, ours, raw, Direction.IN)]})
    store.close()
    told = ask("GET", "/calls/a%2Fb").json()
    assert (told["call_id"], told["outcome"], told["messages"]) == ("a/b", "calling", 1)
    assert told["account"]["sentences"][0].startswith("lukas")
    (message,) = ask("GET", "/calls/a%2Fb/messages").json()["messages"]
    assert (message["number"], message["direction"], message["source"]) == (1, "in", "10.0.0.7:5060")
    assert "c0ffee" not in message["text"]
    assert ask("GET", "/calls/none").status_code == 404


def test_failed_registrations_without_a_history(ask: Ask) -> None:
    answer = ask("GET", "/registrations/failed")
    assert (answer.status_code, "There is no history" in answer.json()["detail"]) == (503, True)


def test_phrases(ask: Ask) -> None:
    asked = {"language": "sk", "code": "486", "user": "lukas", "accept": "sk"}
    found = ask("GET", "/phrases", params=asked).json()
    assert (found["language"], found["said"]) == ("sk", "SIP/2.0 486 Obsadené")
    assert {"code": "486", "english": "Busy Here", "phrase": "Obsadené", "is_own": False} in found["phrases"]


def test_status_and_calls_where_nobody_runs(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.2)
    monkeypatch.setattr("switchboard.console.watch.ANSWER_WITHIN_S", 0.2)
    status = ask("GET", "/status").json()
    assert (status["ready"], status["calls"]) == (False, None)
    assert "registrar.0" in status["not_up"]
    assert status["today"] == {"calls": 0, "missed": 0, "failed_registrations": None}
    assert ask("GET", "/calls").status_code == 503


def test_calls_now(
    open_console: Open, answering: Answering, tokens: ApiTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.2)
    call = {**RECORD.model_dump(mode="json"), "state": "up", "past_us": False}
    answering("journal.0.ask", "call.list", [{**call, "call_id": each} for each in "abc"])
    headers = {"Authorization": f"Bearer {tokens.add('one', True, 1.0)}"}
    answer = open_console().get("/api/v1/calls?limit=2", headers=headers).json()
    assert ([each["call_id"] for each in answer["calls"]], answer["next"]) == (["a", "b"], "2")


def test_a_worker_is_restarted(ask: Ask, answering: Answering) -> None:
    asked = answering("router.control", "restart", None)
    assert ask("POST", "/workers/none.0/restart").status_code == 404
    answer = ask("POST", "/workers/router.0/restart")
    assert (answer.json(), asked) == ({"worker": "router.0", "state": "restarted"}, ["router.0"])


def test_the_registrar_is_silent(
    open_console: Open, tokens: ApiTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.console.people.ANSWER_S", 0.05)
    browser: TestClient = open_console(auth="on")
    headers = {"Authorization": f"Bearer {tokens.add('one', False, 1.0)}"}
    answer = browser.get("/api/v1/users", headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["detail"].startswith("Who keeps this does not answer")
