"""`switchboard messages`."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run

Answering = Callable[[str, str, Any], list[Any]]


def test_for_whom_texts_wait(switchboard: Run, answering: Answering) -> None:
    asked = answering("presence.0.ask", "messages.list", [["lenka", 2, 1_700_000_000.0, 1132]])
    (user,) = json.loads(switchboard("messages", "--json", KEEP_MESSAGES_DAYS="7").stdout)["users"]
    assert user == {
        "user": "lenka",
        "messages": 2,
        "oldest_at": "2023-11-14T22:13:20+00:00",
        "octets": 1132,
    }
    table = switchboard("messages", KEEP_MESSAGES_DAYS="7").stdout.splitlines()
    assert [line.split()[:2] for line in table] == [["user", "messages"], ["lenka", "2"]]
    assert asked == [[], []]


def test_nobody_waits(switchboard: Run, answering: Answering) -> None:
    answering("presence.0.ask", "messages.list", [])
    assert "No text waits for anybody." in switchboard("messages", KEEP_MESSAGES_DAYS="7").stderr


@pytest.mark.parametrize(("count", "said"), [(1, "1 text for"), (2, "2 texts for"), (0, "0 texts for")])
def test_they_are_forgotten(switchboard: Run, answering: Answering, count: int, said: str) -> None:
    asked = answering("presence.0.ask", "messages.delete", count)
    assert switchboard("messages", "delete", "lenka", KEEP_MESSAGES_DAYS="7").stderr.startswith(said)
    told = json.loads(switchboard("messages", "delete", "lenka", "--json", KEEP_MESSAGES_DAYS="7").stdout)
    assert (told, asked) == ({"user": "lenka", "deleted": count}, [["lenka"]] * 2)


def test_nobody_answers(switchboard: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.messages.ANSWER_S", 0.1)
    done = switchboard("messages", KEEP_MESSAGES_DAYS="7")
    assert (done.status, "It does not run, or this part of it is down" in done.stderr) == (1, True)


def test_without_the_setting_none_are_kept(switchboard: Run) -> None:
    done = switchboard("messages")
    assert (done.status, "keep_messages_days is 0" in done.stderr) == (1, True)
