"""What page and API say of texts that wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import answering as answering
from console.conftest import Open
from console.registrars import a_registrar

from switchboard.auth.api_tokens import ApiTokens
from switchboard.settings.model import Settings

Answering = Callable[[str, str, Any], list[Any]]
WAITING = [["lenka", 2, 1_700_000_000.0, 1132]]
PAGE = "/users/one?user=lenka"


@pytest.mark.parametrize(("days", "waits"), [(7.0, True), (0.0, False)])
def test_the_page_of_a_user(
    open_console: Open, answering: Answering, data_dir: Path, days: float, waits: bool
) -> None:
    asked = answering("presence.0.ask", "messages.list", WAITING)
    with a_registrar(Settings(data_dir=data_dir), lenka=["sip:lenka@10.0.0.7:5060"]):
        page = open_console(keep_messages_days=days).get(PAGE).text
    assert ("2 texts wait for lenka" in page) == waits
    assert asked == ([["lenka"]] if waits else [])


def test_a_page_whose_worker_is_silent(
    open_console: Open, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.survey.messages.ANSWER_S", 0.1)
    with a_registrar(Settings(data_dir=data_dir), lenka=["sip:lenka@10.0.0.7:5060"]):
        answer = open_console(keep_messages_days=7).get(PAGE)
    assert (answer.status_code, "texts wait" in answer.text) == (200, False)


def test_the_api(open_console: Open, answering: Answering, data_dir: Path) -> None:
    answering("presence.0.ask", "messages.list", WAITING)
    token = ApiTokens(data_dir / "api.tokens").add("one", True, 1.0)
    headers = {"Authorization": f"Bearer {token}"}
    answer = open_console(keep_messages_days=7).get("/api/v1/texts", headers=headers)
    assert answer.json() == {
        "users": [{"user": "lenka", "messages": 2, "oldest_at": "2023-11-14T22:13:20.000Z", "octets": 1132}]
    }
