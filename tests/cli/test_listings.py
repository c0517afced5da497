"""The commands that list what workers and files hold: bindings, calls, cdr."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Run

from switchboard.cli.listings import LINES
from switchboard.registrar.listing import Wanted

BINDING = {
    "contact_uri": "sip:lukas@10.0.0.2",
    "q": 1.0,
    "expires_at": 4e9,
    "left_s": 2e9,
    "source": "10.0.0.2:5060",
    "user_agent": "Linphone [5.1]",
}
CALL = {
    "call_id": "a1",
    "caller": "sip:lukas@10.0.0.1",
    "callee": "sip:eva@10.0.0.1",
    "started_at": "2026-11-22T10:00:00.000Z",
    "ringing_at": "2026-11-22T10:00:01.000Z",
    "answered_at": None,
}
RECORD: dict[str, Any] = {
    **CALL,
    "answered_at": "2026-11-22T10:00:03.500Z",
    "ended_at": "2026-11-22T10:01:08.500Z",
    "duration_s": 65.0,
    "outcome": "answered",
    "status": 200,
    "ended_by": "callee",
    "forwarded": [],
    "relayed": None,
}


def test_bindings(switchboard: Run, answering: Callable[[str, str, Any], list[Any]]) -> None:
    asked = answering("registrar.0.ask", "location.list", ["life", [["lukas", [BINDING]], ["eva", []]], 0])
    done = switchboard("bindings", "--json")
    assert asked == [["", 0, Wanted().to_wire()]]
    assert json.loads(done.stdout) == {"bindings": [{"user": "lukas", **BINDING, "reach": None}]}
    heading, line = switchboard("bindings").stdout.splitlines()
    assert heading.split() == ["user", "contact", "q", "expires", "in", "source", "transport"] + [
        *("user", "agent", "note")
    ]
    assert line.startswith("lukas  sip:lukas@10.0.0.2  1  ")
    assert "Linphone [5.1]" in line
    assert " UDP " in line


def test_a_contact_that_names_another_address(
    switchboard: Run, answering: Callable[[str, str, Any], list[Any]]
) -> None:
    other = {**BINDING, "contact_uri": "sip:lukas@192.168.7.7:5060"}
    answering("registrar.0.ask", "location.list", ["life", [["lukas", [other]]], 0])
    assert switchboard("bindings").stdout.splitlines()[1].endswith("contact names 192.168.7.7")


def test_a_connection_that_is_closed_is_told(
    switchboard: Run, answering: Callable[[str, str, Any], list[Any]]
) -> None:
    way = {"transport": "TLS", "connection": "closed"}
    asked = answering("registrar.0.ask", "location.list", ["life", [["lukas", [BINDING | way]]], 0])
    assert "  TLS, closed  " in switchboard("bindings", "--transport", "tls").stdout
    assert asked == [["", 0, {"transport": "tls"}]]


def test_some_bindings(switchboard: Run, answering: Callable[[str, str, Any], list[Any]]) -> None:
    users = [[f"user{number:04}", [BINDING]] for number in reversed(range(LINES + 2))]
    asked = answering("registrar.0.ask", "location.list", ["life", users, 0])
    done = switchboard("bindings", "--user", "u*", "--contact", "c", "--source", "10.0.0.0/8", "--agent", "a")
    assert asked == [["", 0, Wanted("", "u*", "c", "10.0.0.0/8", "a").to_wire()]]
    lines = done.stdout.splitlines()
    assert (lines[1][:8], lines[-1][:8], len(lines)) == ("user0000", f"user{LINES - 1:04}", LINES + 1)
    assert done.stderr.startswith("2 more: ")
    assert len(switchboard("bindings", "--limit", "0").stdout.splitlines()) == LINES + 3
    assert len(json.loads(switchboard("bindings", "--json").stdout)["bindings"]) == LINES + 2
    assert len(json.loads(switchboard("bindings", "--json", "--limit", "2").stdout)["bindings"]) == 2


@pytest.mark.parametrize(
    ("answered_at", "ringing_at", "state"),
    [
        (None, None, "calling"),
        (None, "2026-11-22T10:00:01.000Z", "ringing"),
        ("2026-11-22T10:00:02.000Z", None, "up"),
    ],
)
def test_calls(
    switchboard: Run,
    answering: Callable[[str, str, Any], object],
    answered_at: str | None,
    ringing_at: str | None,
    state: str,
) -> None:
    call = {**CALL, "answered_at": answered_at, "ringing_at": ringing_at}
    answering("journal.0.ask", "call.list", [call])
    assert json.loads(switchboard("calls", "--json").stdout) == {"calls": [call]}
    assert switchboard("calls").stdout.splitlines()[1].split()[2] == state


def test_a_call_that_goes_past_the_switchboard(
    switchboard: Run, answering: Callable[[str, str, Any], object]
) -> None:
    answering("journal.0.ask", "call.list", [{**RECORD, "state": "up", "past_us": True}])
    assert "up, its end may not be seen" in switchboard("calls").stdout


@pytest.mark.parametrize("command", ["bindings", "calls"])
def test_no_answer(switchboard: Run, command: str, data_dir: Path) -> None:
    done = switchboard(command)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"No switchboard with the data directory {data_dir} answers: ")


def test_nothing_to_list(switchboard: Run, answering: Callable[[str, str, Any], object]) -> None:
    answering("registrar.0.ask", "location.list", ["life", [], 0])
    done = switchboard("bindings")
    assert (done.status, done.stdout, done.stderr) == (0, "", "Nobody is registered.\n")
    assert switchboard("bindings", "--user", "x").stderr == "No binding is like that.\n"
    assert switchboard("cdr").stderr == "No call has ended yet.\n"
    assert json.loads(switchboard("cdr", "--json").stdout) == {"records": []}


def test_cdr(switchboard: Run, data_dir: Path) -> None:
    other = {**RECORD, "call_id": "a2", "callee": "sip:jana@10.0.0.1"}
    lines = [json.dumps(RECORD), "torn", json.dumps(other)]
    (data_dir / "cdr.jsonl").write_text("\n".join(lines) + "\n")
    done = switchboard("cdr", "--json")
    assert json.loads(done.stdout) == {"records": [RECORD, other]}
    assert done.stderr == f"{data_dir}/cdr.jsonl, line 2: no record, left out.\n"
    table = switchboard("cdr").stdout.splitlines()
    assert [line.split()[3] for line in table[1:]] == ["eva@10.0.0.1", "jana@10.0.0.1"]
    assert "1m 05s" in table[1]
    heading, first, _ = switchboard("cdr", "--csv").stdout.splitlines()
    assert heading.startswith("call_id,caller,callee,started_at")
    assert first.startswith("a1,sip:lukas@10.0.0.1,sip:eva@10.0.0.1,2026-11-22T10:00:00.000Z")


def test_a_record_of_a_call_whose_end_was_not_seen(switchboard: Run, data_dir: Path) -> None:
    record = {**RECORD, "ended_by": "unseen"}
    (data_dir / "cdr.jsonl").write_text(json.dumps(record) + "\n")
    assert json.loads(switchboard("cdr", "--json").stdout) == {"records": [record]}
    _, line = switchboard("cdr").stdout.splitlines()
    assert "at least 1m 05s" in line
    assert line.endswith("its end was not seen  a1")


def test_some_of_the_records(switchboard: Run, data_dir: Path) -> None:
    records = [
        {**RECORD, "call_id": f"c{number}", "callee": f"sip:{name}@10.0.0.1", "outcome": outcome}
        for number, (name, outcome) in enumerate([("eva", "busy"), ("jana", "answered"), ("eva", "answered")])
    ]
    (data_dir / "cdr.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records) + "torn")

    def found(*options: str) -> list[str]:
        return [
            each["call_id"] for each in json.loads(switchboard("cdr", "--json", *options).stdout)["records"]
        ]

    assert found("--limit", "2") == ["c1", "c2"]
    assert found("--user", "EVA") == ["c0", "c2"]
    assert found("--user", "eva", "--limit", "1") == ["c2"]
    assert found("--outcome", "busy") == ["c0"]
    assert found("--since", "2026-11-22", "--until", "2026-11-22", "--call-id", "c1") == ["c1"]
    assert found("--since", "2026-11-24") == []
    assert "No call is like that.\n" in switchboard("cdr", "--user", "nobody").stderr
    wrong = switchboard("cdr", "--since", "yesterday")
    assert (wrong.status, wrong.stderr) == (2, "'yesterday' is no day such as 2026-11-24.\n")


def test_cdr_in_two_forms_at_once(switchboard: Run) -> None:
    assert switchboard("cdr", "--json", "--csv").status == 2


def test_a_record_of_one_way_voice_says_so(switchboard: Run, data_dir: Path) -> None:
    relayed = {"engine": "rtpengine://127.0.0.1:2223", "from_caller": 250, "from_callee": 0}
    (data_dir / "cdr.jsonl").write_text(json.dumps({**RECORD, "relayed": relayed}) + "\n")
    assert json.loads(switchboard("cdr", "--json").stdout)["records"][0]["relayed"] == relayed
    assert "answered, one-way voice" in switchboard("cdr").stdout
    assert "250 from the caller, 0 from the callee" in switchboard("cdr", "--csv").stdout
