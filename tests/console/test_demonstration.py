"""The demonstration call; that it works is shown by tests/system/test_console.py."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from console.conftest import HERE, Open, token_of
from console.conftest import data_dir as data_dir
from console.registrars import a_registrar
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from switchboard.bus.context import BusContext
from switchboard.console.demonstration import CALLEE, CALLER, _users
from switchboard.console.people import People
from switchboard.lab.phone import NoAnswer
from switchboard.settings.model import Settings


def place(browser: TestClient, **form: str) -> str:
    token = token_of(browser.get("/users").text)
    answer = browser.post("/demonstration", data={"csrf": token, **form}, headers={"Origin": HERE})
    return answer.headers.get("Location", str(answer.status_code))


@pytest.fixture
def registrar(data_dir: Path) -> Iterator[People]:
    settings = Settings(data_dir=data_dir, auth="on")
    with a_registrar(settings), BusContext() as context:
        yield People(settings, context)


def test_its_users_are_there_meanwhile_only(registrar: People) -> None:
    with _users(registrar) as passwords:
        assert passwords.keys() == {CALLER, CALLEE}
        assert all(passwords.values())
        assert [each.user for each in registrar.all()] == [CALLER, CALLEE]
    assert registrar.all() == []


def test_users_that_a_killed_call_has_left_are_taken_and_removed(registrar: People) -> None:
    registrar.add(CALLER)
    with _users(registrar):
        pass
    assert registrar.all() == []


def test_nobody_listens(registrar: People, open_console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_arguments: object) -> str:
        raise NoAnswer("REGISTER", refused=True)

    monkeypatch.setattr("switchboard.console.demonstration.place_call", silent)
    with capture_logs() as logs:
        assert place(open_console(auth="on", sip_host="127.0.0.1")) == "/?said=demonstration-failed"
    assert [log["event"] for log in logs] == ["demonstration call", "demonstration call failed"]
    assert registrar.all() == []


def test_a_form_without_our_token_does_nothing(open_console: Open) -> None:
    browser = open_console()
    forms: list[Mapping[str, str]] = [{}, {"csrf": "x"}]
    for form in forms:
        assert browser.post("/demonstration", data=form, headers={"Origin": HERE}).status_code == 403
    assert browser.get("/demonstration").status_code == 405
