"""The login."""

import time
from pathlib import Path
from typing import Any

import pytest
from console.conftest import HERE, PASSWORD, PASSWORD_HASH, Open, token_of
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from switchboard.console.guesses import FREE


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


def beside(browser: TestClient, address: str) -> TestClient:
    """Another browser at the same console."""
    return TestClient(browser.app, HERE, follow_redirects=False, client=(address, 40_000))


def guess(browser: TestClient, times: int) -> None:
    for _ in range(times):
        assert send(browser, "/login", "/login", password="wrong").status_code == 401


def test_who_guesses_waits(browser: TestClient) -> None:
    guess(browser, FREE)
    answer = send(browser, "/login", "/login", password=PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert "Try again in 1s" in answer.text


def test_who_does_not_guess_gets_in_whoever_else_does(browser: TestClient) -> None:
    for number in range(1, 13):
        guess(beside(browser, f"10.0.0.{number}"), FREE)
    assert send(beside(browser, "10.0.0.200"), "/login", "/login", password=PASSWORD).status_code == 303


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_those_who_come_by_a_proxy_guess_each_for_himself(open_console: Open, proxy: str) -> None:
    url = "https://pbx.example.com"
    through = open_console(url, console_password=PASSWORD_HASH, console_url=url)

    def ask(source: str, password: str) -> int:
        browser = TestClient(through.app, url, follow_redirects=False, client=(proxy, 40_000))
        browser.headers |= {"X-Forwarded-For": source, "Origin": url}
        form = {"csrf": token_of(browser.get("/login").text), "password": password}
        status: int = browser.post("/login", data=form).status_code
        return status

    assert [ask("10.0.0.1", "wrong") for _ in range(FREE)] == [401] * FREE
    assert (ask("10.0.0.1", PASSWORD), ask("10.0.0.2", PASSWORD)) == (429, 303)


def test_an_ipv6_site_guesses_as_one(browser: TestClient) -> None:
    for number in range(1, FREE + 1):
        guess(beside(browser, f"2001:db8::{number}"), 1)
    assert send(beside(browser, "2001:db8::99"), "/login", "/login", password=PASSWORD).status_code == 429
    assert send(beside(browser, "2001:db8:0:1::1"), "/login", "/login", password=PASSWORD).status_code == 303


def test_a_browser_that_was_in_before_is_not_who_guesses_at_its_address(browser: TestClient) -> None:
    send(browser, "/login", "/login", password=PASSWORD)
    send(browser, "/logout", "/phrases")
    guess(beside(browser, "testclient"), FREE)
    assert send(beside(browser, "testclient"), "/login", "/login", password=PASSWORD).status_code == 429
    assert send(browser, "/login", "/login", password=PASSWORD).status_code == 303


def test_after_a_logout_a_copy_of_the_cookie_opens_nothing(browser: TestClient, data_dir: Path) -> None:
    send(browser, "/login", "/login", password=PASSWORD)
    copy = browser.cookies["switchboard"]
    send(browser, "/logout", "/phrases")
    thief = beside(browser, "10.0.0.1")
    thief.cookies.set("switchboard", copy)
    assert thief.get("/phrases").status_code == 303
    assert (data_dir / "console.ended").exists()


def test_a_logout_that_cannot_be_written_is_one_and_says_so(browser: TestClient, data_dir: Path) -> None:
    send(browser, "/login", "/login", password=PASSWORD)
    (data_dir / "console.ended.new").mkdir()
    answer = send(browser, "/logout", "/phrases")
    assert answer.headers["Location"] == "/login?said=logged-out-unwritten"
    assert "cannot write that down" in browser.get(answer.headers["Location"]).text
    assert browser.get("/phrases").status_code == 303


def test_wrong_passwords_do_not_fill_the_log(browser: TestClient) -> None:
    """20 at once, and one a second."""
    began = time.monotonic()
    with capture_logs() as logs:
        for number in range(1, 9):
            guess(beside(browser, f"10.0.0.{number}"), FREE - 1)
    told = sum(each["event"] == "console login failed" for each in logs)
    assert 20 <= told <= 21 + time.monotonic() - began


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example.net", "//evil.example.net", "/\\evil.example.net"]
)
def test_it_leads_to_our_own_pages_only(browser: TestClient, elsewhere: str) -> None:
    answer = send(browser, "/login", "/login", password=PASSWORD, next=elsewhere)
    assert answer.headers["Location"] == "/"
