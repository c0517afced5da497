"""The page Phones."""

from typing import Any

import pytest
from console.conftest import HERE, PASSWORD_HASH, Open, token_of
from starlette.testclient import TestClient


def make_link(browser: TestClient, user: str) -> Any:
    form = {"csrf": token_of(browser.get("/phones").text), "user": user}
    return browser.post("/phones", data=form, headers={"Origin": HERE})


def test_a_phone_gets_its_configuration_once(open_console: Open) -> None:
    browser = open_console(domains=["pbx.example.com"], sip_port=5070)
    page = browser.get(make_link(browser, "lukas").headers["Location"]).text
    assert "<svg" in page
    url = page.partition('<code class="url">')[2].partition("<")[0]
    assert browser.head(url).status_code == 405
    answer = browser.get(url)
    assert answer.headers["Content-Type"] == "application/xml"
    assert "sip:lukas@pbx.example.com:5070" in answer.text
    assert browser.get(url).status_code == 404


def test_phones_need_no_login(open_console: Open) -> None:
    browser = open_console(console_password=PASSWORD_HASH)
    assert browser.get("/phones").status_code == 303
    assert browser.get("/provisioning/none").status_code == 404


@pytest.mark.parametrize("user", ["", "a b", "a@b", "<x>", "x" * 65])
def test_names_that_are_none(open_console: Open, user: str) -> None:
    answer = make_link(open_console(), user)
    assert (answer.status_code, "cannot stand in a SIP address" in answer.text) == (400, True)


def test_a_link_that_was_used(open_console: Open) -> None:
    answer = open_console().get("/phones/none")
    assert (answer.status_code, "was used, or is too old" in answer.text) == (404, True)
