"""The page of trunks, and what the API says of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import answering as answering
from console.conftest import HERE, Open, token_of

from switchboard.auth.api_tokens import ApiTokens

Answering = Callable[[str, str, Any], list[Any]]
SETTINGS = {"p": {"registrar": "voip.example", "user": "481"}}
TRUNK: dict[str, Any] = {
    "name": "p",
    "registrar": "sip:voip.example",
    "user": "481",
    "registers": True,
    "registered_s": 100.0,
    "next_s": 70.0,
    "is_waiting": False,
    "refusal": "",
    "refused_s": None,
    "has_password": True,
    "numbers": {"42125": "lenka"},
}


def test_nobody_has_a_trunk(open_console: Open) -> None:
    answer = open_console().get("/trunks")
    assert answer.status_code == 200
    assert "There are no trunks." in answer.text


def test_a_trunk_that_is_registered_and_one_that_is_not(open_console: Open, answering: Answering) -> None:
    refused = TRUNK | {
        "name": "q",
        "registered_s": 0.0,
        "refusal": "403 <No>",
        "refused_s": 5.0,
        "has_password": False,
        "next_s": None,
    }
    answering("trunks.0.ask", "trunks.list", [TRUNK, refused])
    page = open_console(trunks=SETTINGS).get("/trunks").text
    for text in (
        "481 at sip:voip.example",
        "registered</span> for 1m 40s",
        "42125 → lenka",
        "403 &lt;No&gt; (5s ago)",
    ):
        assert text in page
    assert "not registered" in page
    assert "no password" in page


def test_one_is_tried(open_console: Open, answering: Answering) -> None:
    answering("trunks.0.ask", "trunks.list", [TRUNK])
    browser = open_console(trunks=SETTINGS)
    csrf = token_of(browser.get("/trunks").text)
    answering("trunks.0.ask", "trunks.try", True)
    answer = browser.post("/trunks/try", data={"csrf": csrf, "name": "p"}, headers={"Origin": HERE})
    assert answer.headers["Location"] == "/trunks?said=trunk-tried"


def test_a_worker_that_is_silent(open_console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.trunks.ANSWER_S", 0.1)
    answer = open_console(trunks=SETTINGS).get("/trunks")
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_the_api_tells_the_same(open_console: Open, answering: Answering, data_dir: Path) -> None:
    answering("trunks.0.ask", "trunks.list", [TRUNK])
    token = ApiTokens(data_dir / "api.tokens").add("one", True, 1.0)
    headers = {"Authorization": f"Bearer {token}"}
    answer = open_console(trunks=SETTINGS).get("/api/v1/trunks", headers=headers)
    assert answer.json() == {"trunks": [TRUNK]}
