"""The JSON API of a running switchboard: as a program uses it, and by a fuzzer that reads its description."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from system.harness import Switchboard, free_port, wait_until
from system.tools import require_modules

pytestmark = pytest.mark.system
FUZZ_S = 20
FUZZ_LIMIT_S = 150.0
FUZZER = "from schemathesis.cli import schemathesis; schemathesis()"
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    console = f"127.0.0.1:{free_port('127.0.0.1')}"
    with Switchboard({"SWITCHBOARD_CONSOLE": console, "SWITCHBOARD_AUTH": "on"}) as running:
        yield running


@pytest.fixture(scope="module")
def root(switchboard: Switchboard) -> str:
    """Where the API is."""
    address: str = switchboard.component("console")["address"]
    return f"{address.rstrip('/')}/api/v1"


def ask(url: str, token: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10.0) as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def made_token(switchboard: Switchboard, name: str, *options: str) -> str:
    return switchboard.cli("token", "add", name, *options).stdout.strip()


def test_a_program_adds_users_and_reads_what_became_of_their_call(
    switchboard: Switchboard, root: str
) -> None:
    token = made_token(switchboard, "office")
    status, made = ask(f"{root}/users", token, "POST", {"user": "lukas", "display_name": "Lukáš"})
    assert (status, len(made["password"])) == (201, 20)
    assert ask(f"{root}/users", token, "POST", {"user": "lukas"})[0] == 409
    assert [each["display_name"] for each in ask(f"{root}/users", token)[1]["users"]] == ["Lukáš"]
    assert ask(f"{root}/users/lukas", token, "DELETE") == (204, None)
    assert ask(f"{root}/users/lukas", token)[0] == 404

    switchboard.cli("lab", "call", "anna", "boris", "--ring", "0.1", "--talk", "0.1")
    (record,) = wait_until(lambda: ask(f"{root}/journal?user=anna", token)[1]["records"], "the record")
    assert (record["outcome"], record["ended_by"]) == ("answered", "caller")
    call = f"{root}/calls/{record['call_id']}"
    told = wait_until(lambda: _ended(ask(call, token)[1]), "the account")
    assert "boris answered." in told["account"]["sentences"]
    _, page = ask(f"{call}/messages?limit=500", token)
    shown = [each["text"] for each in page["messages"] if "Proxy-Authorization" in each["text"]]
    assert shown
    assert all("Proxy-Authorization: Digest " in text and 'response="***"' in text for text in shown)
    assert "auth failed" not in switchboard.log()


def _ended(told: dict[str, Any]) -> dict[str, Any] | None:
    return told if told.get("outcome") == "answered" else None


def fetch(url: str, token: str) -> tuple[str, bytes]:
    """The media type and the content of an answer."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10.0) as answer:
        return answer.headers.get_content_type(), answer.read()


def test_a_demonstration_call_and_what_is_exported_of_it(switchboard: Switchboard, root: str) -> None:
    token = made_token(switchboard, "exporter")
    status, made = ask(f"{root}/demonstration", token, "POST")
    assert (status, made["in_history"]) == (201, True)
    call_id = made["call_id"]
    switchboard.wait_record(call_id)
    totals = ask(f"{root}/journal/totals?user=lab-anna", token)[1]
    assert (totals["calls"], totals["missed"], totals["outcomes"]) == (1, 0, {"answered": 1})
    assert totals["talked_s"] == totals["days"][0]["talked_s"] > 1
    assert ask(f"{root}/journal/totals?user=nobody-at-all", token)[1]["days"] == []
    kind, table = fetch(f"{root}/journal/csv?call_id={call_id}", token)
    assert (kind, len(table.splitlines())) == ("text/csv", 2)
    assert table.startswith(b"call_id,caller,callee,")
    kind, capture = fetch(f"{root}/calls/{call_id}/capture", token)
    assert (kind, capture[:4]) == ("application/x-pcapng", b"\x0a\x0d\x0d\x0a")
    kind, text = fetch(f"{root}/calls/{call_id}/text", token)
    assert kind == "text/plain"
    assert "lab-boris answered." in text.decode()
    for each in ("capture", "text"):
        assert ask(f"{root}/calls/nothing/{each}", token)[0] == 404


def test_a_program_follows_the_events(switchboard: Switchboard, root: str) -> None:
    token = made_token(switchboard, "follower")
    request = urllib.request.Request(f"{root}/events", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20.0) as stream:
        assert stream.headers.get_content_type() == "text/event-stream"
        assert next_event(stream) == ("ready", {})
        switchboard.cli("lab", "call", "petra", "karol", "--ring", "1.2", "--talk", "1.2")
        seen: list[tuple[str, Any]] = []
        while {"call.ended", "registration.ended"} - {kind for kind, _ in seen}:
            seen.append(next_event(stream))
        kinds = [kind for kind, _ in seen]
        assert kinds.index("registration.began") < kinds.index("call.began") < kinds.index("call.changed")
        assert {told["user"] for kind, told in seen if kind == "registration.began"} == {"petra", "karol"}
        (record,) = [told for kind, told in seen if kind == "call.ended"]
        assert record["outcome"] == "answered"
        switchboard.cli("token", "remove", "follower")
        while line := stream.readline():
            assert line.startswith((b":", b"\n", b"event: registration.ended", b"data: "))


def next_event(stream: Any) -> tuple[str, Any]:
    kind = ""
    while line := stream.readline().decode().rstrip("\n"):
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            return kind, json.loads(line.removeprefix("data: ")) if not stream.readline().strip() else None
    return next_event(stream)


def test_a_token_is_void_once_it_is_removed(switchboard: Switchboard, root: str) -> None:
    token, reader = made_token(switchboard, "short"), made_token(switchboard, "reader", "--read-only")
    assert ask(f"{root}/status", token)[1]["ready"]
    assert ask(f"{root}/users/nobody/password", reader, "POST")[0] == 403
    switchboard.cli("token", "remove", "short")
    assert ask(f"{root}/status", token)[0] == 401
    assert ask(f"{root}/status", reader)[0] == 200


def test_a_worker_is_restarted(switchboard: Switchboard, root: str) -> None:
    token = made_token(switchboard, "restarter")
    before = switchboard.component("translator")["pid"]
    assert ask(f"{root}/workers/translator.0/restart", token, "POST")[1]["state"] == "restarted"
    assert switchboard.component("translator")["pid"] != before
    assert ask(f"{root}/workers/none.0/restart", token, "POST")[0] == 404


def test_the_description_is_kept_whatever_is_asked(switchboard: Switchboard, root: str) -> None:
    require_modules("schemathesis")
    token = made_token(switchboard, "fuzzer")
    done = subprocess.run(
        [
            *(sys.executable, "-c", FUZZER, f"--config-file={CONFIG}", "run", f"{root}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--max-time", str(FUZZ_S), "--no-color"),
            *("--max-examples", "5", "--generation-deterministic", "--request-timeout", "10"),
            "--continue-on-failure",
        ],
        cwd=switchboard.data_dir,
        env=dict(switchboard.environment),
        capture_output=True,
        text=True,
        timeout=FUZZ_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert all(each["state"] == "up" for each in switchboard.components())
