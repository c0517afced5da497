"""The login."""

from typing import Any

import pytest
from console.conftest import HERE, PASSWORD, PASSWORD_HASH, Open, token_of
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from switchboard.console.login import MAX_SOURCES, PERIOD_S, TRIES_OF_ALL, TRIES_OF_ONE, Attempts


def test_one_source_waits_after_its_failures() -> None:
    attempts = Attempts()
    for now in range(TRIES_OF_ONE):
        assert attempts.wait_s("10.0.0.1", now) == 0.0
        attempts.failed("10.0.0.1", now)
    assert attempts.wait_s("10.0.0.1", 10.0) == PERIOD_S - 10.0
    assert attempts.wait_s("10.0.0.2", 10.0) == 0.0
    assert attempts.wait_s("10.0.0.1", PERIOD_S) == 0.0


def test_the_right_password_forgives() -> None:
    attempts = Attempts()
    for _ in range(TRIES_OF_ONE):
        attempts.failed("10.0.0.1", 0.0)
    attempts.succeeded("10.0.0.1")
    assert attempts.wait_s("10.0.0.1", 0.0) == 0.0


def test_many_sources_together_wait_too() -> None:
    attempts = Attempts()
    for number in range(TRIES_OF_ALL):
        attempts.failed(f"10.0.0.{number}", 0.0)
    assert attempts.wait_s("192.0.2.1", 1.0) == PERIOD_S - 1.0


def test_memory_is_bounded() -> None:
    attempts = Attempts()
    for number in range(2 * MAX_SOURCES):
        attempts.failed(str(number), 0.0)
    assert len(attempts._of_one) == MAX_SOURCES


def send(browser: TestClient, path: str, page: str, **form: str) -> Any:
    form["csrf"] = token_of(browser.get(page).text)
    return browser.post(path, data=form, headers={"Origin": HERE})


@pytest.fixture
def browser(open_console: Open) -> TestClient:
    return open_console(console_password=PASSWORD_HASH)


def test_in_and_out(browser: TestClient) -> None:
    with capture_logs() as logs:
        answer = send(browser, "/login", "/login?next=/phrases", password=PASSWORD, next="/phrases")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/phrases")
        assert "Log out" in browser.get("/phrases").text
        assert send(browser, "/logout", "/phrases").headers["Location"] == "/login?said=logged-out"
        assert browser.get("/phrases").status_code == 303
    assert [each["event"] for each in logs] == ["console login", "console logout"]
    assert all(each["source"] == "testclient" for each in logs)
    assert PASSWORD not in str(logs)


def test_a_session_is_another_one_after_the_login(browser: TestClient) -> None:
    browser.get("/login")
    before = browser.cookies["switchboard"]
    send(browser, "/login", "/login", password=PASSWORD)
    assert browser.cookies["switchboard"].split(".")[0] != before.split(".")[0]


def test_wrong_passwords_come_to_an_end(browser: TestClient) -> None:
    for _ in range(TRIES_OF_ONE):
        assert send(browser, "/login", "/login", password="wrong").status_code == 401
    answer = send(browser, "/login", "/login", password=PASSWORD)
    assert (answer.status_code, "Try again in 5 min" in answer.text) == (429, True)


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example.net", "//evil.example.net", "/\\evil.example.net"]
)
def test_it_leads_to_our_own_pages_only(browser: TestClient, elsewhere: str) -> None:
    answer = send(browser, "/login", "/login", password=PASSWORD, next=elsewhere)
    assert answer.headers["Location"] == "/"
