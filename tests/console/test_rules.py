"""The pages of rules: a user's, groups', and the own page that a link opens, beside a registrar's real store."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from console.conftest import HERE, PASSWORD_HASH, Open, token_of
from console.registrars import a_registrar
from starlette.testclient import TestClient

from switchboard.console.rule_desk import words_of
from switchboard.settings.model import Settings

LENKA = "sip:lenka@10.0.0.7:5060"


@pytest.fixture
def browser(open_console: Open, data_dir: Path) -> Iterator[TestClient]:
    """At a console that asks for no password; lenka and lukas are registered."""
    with a_registrar(Settings(data_dir=data_dir), lenka=[LENKA], lukas=["sip:lukas@10.0.0.8"]):
        yield open_console()


def post(browser: TestClient, path: str, **form: str) -> Any:
    token = token_of(browser.get("/users").text)
    return browser.post(path, data={"csrf": token, **form}, headers={"Origin": HERE})


def field(page: str, name: str) -> str:
    """What a field of a form has."""
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found
    return unescape(found[1])


def own_link(browser: TestClient) -> str:
    """Lenka's link as her page shows it; "" for none."""
    found = re.search(r"http://127.0.0.1:8080(/own/[^<]+)<", browser.get("/users/one?user=lenka").text)
    return found[1] if found else ""


def test_the_rules_of_a_user(browser: TestClient) -> None:
    done = post(
        browser,
        "/users/rules",
        user="lenka",
        busy="lukas",
        no_answer="group:none",
        after_s="15",
        also="101 102",
    )
    assert (done.status_code, done.headers["Location"]) == (303, "/users/one?user=lenka&said=ruled")
    page = browser.get("/users/one?user=lenka").text
    assert [field(page, each) for each in ("always", "busy", "after_s", "also")] == [
        "",
        "lukas",
        "15",
        "101, 102",
    ]
    assert "there is no group none yet" in page
    assert 'value="on" selected' not in page
    post(browser, "/users/rules", user="lenka", dnd="on")
    page = browser.get("/users/one?user=lenka").text
    assert (field(page, "busy"), 'value="on" selected' in page) == ("", True)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"always": "lenka"}, "lenka again"),
        ({"busy": "<b>"}, "is no destination"),
        ({"after_s": "x"}, "no number of seconds"),
        ({"after_s": "9" * 30}, "no number of seconds"),
    ],
)
def test_what_cannot_be_is_told_on_the_page(browser: TestClient, form: dict[str, str], said: str) -> None:
    answer = post(browser, "/users/rules", user="lenka", **form)
    assert answer.status_code == 400
    assert said in unescape(answer.text)
    assert "<b>'" not in answer.text


def test_what_was_typed_stays_when_it_is_refused(browser: TestClient) -> None:
    post(browser, "/groups/save", name="office", members="lukas")
    typed = {"always": "lenka", "busy": "lukas", "after_s": "7", "also": "101, <b>", "dnd": "on"}
    page = post(browser, "/users/rules", user="lenka", **typed).text
    assert [field(page, each) for each in ("always", "busy", "after_s", "also")] == list(typed.values())[:4]
    assert 'value="on" selected' in page
    post(browser, "/users/link", user="lenka")
    link = own_link(browser)
    form = {"csrf": token_of(browser.get(link).text), **typed}
    page = browser.post(link, data=form, headers={"Origin": HERE}).text
    assert [field(page, each) for each in ("always", "also")] == ["lenka", "101, <b>"]
    bad = {"members": "lukas, <b>", "way": "turn", "after_s": "8", "then": "eva"}
    for name, forms in (("office", 2), ("hotline", 2)):
        page = post(browser, "/groups/save", name=name, **bad).text
        assert (unescape(page).count('value="lukas, <b>"'), page.count('name="members"')) == (1, forms)
        assert page.count('value="turn" selected') == 1
    assert re.search('name="name"[^>]* value="hotline"', page)
    page = post(browser, "/users/add", user="a b", display_name="Eva").text
    assert (field(page, "user"), field(page, "display_name")) == ("a b", "Eva")


def test_the_own_page_shows_nothing_of_the_console(browser: TestClient) -> None:
    post(browser, "/users/link", user="lenka")
    for page in (browser.get(own_link(browser)).text, browser.get("/own/x").text):
        assert ("<nav" in page, 'href="/"' in page, 'href="/users' in page) == (False, False, False)
    assert "<nav" in browser.get("/users").text


def test_groups(browser: TestClient) -> None:
    assert "Add a group" in browser.get("/groups").text
    saved = post(
        browser, "/groups/save", name="office", members="lenka, lukas", way="rotate", after_s="10", then="eva"
    )
    assert "The group office is saved." in saved.text
    assert "eva is no user yet" in saved.text
    assert 'value="lenka, lukas"' in browser.get("/groups").text
    post(browser, "/users/rules", user="lenka", busy="group:office")
    deleted = post(browser, "/groups/delete", name="office")
    assert "the rules of lenka still lead to group:office" in deleted.text
    assert post(browser, "/groups/delete", name="office").status_code == 404
    for form in (
        {"members": "x"},
        {"name": "office"},
        {"name": "a", "members": "group:a"},
        {"name": "a", "way": "?"},
    ):
        assert post(browser, "/groups/save", **form).status_code == 400


def test_who_has_the_link_sets_the_own_rules_and_no_others(browser: TestClient) -> None:
    assert own_link(browser) == ""
    post(browser, "/users/link", user="lenka")
    link = own_link(browser)
    page = browser.get(link).text
    assert "Where the calls of lenka go" in page
    done = browser.post(
        link, data={"csrf": token_of(page), "busy": "lukas", "user": "lukas"}, headers={"Origin": HERE}
    )
    assert (done.status_code, done.headers["Location"]) == (303, f"{link}?saved")
    assert "Saved" in browser.get(done.headers["Location"]).text
    assert field(browser.get("/users/one?user=lenka").text, "busy") == "lukas"
    assert field(browser.get("/users/one?user=lukas").text, "busy") == ""
    refused = browser.post(link, data={"csrf": token_of(page), "busy": "a b"}, headers={"Origin": HERE})
    assert (refused.status_code, "no destination" in refused.text) == (400, True)


def test_a_link_is_void_once_it_is_revoked_or_the_user_gone(browser: TestClient) -> None:
    for what in ("link", "unlink", "link", "remove"):
        before = own_link(browser)
        post(browser, f"/users/{what}", user="lenka")
        if before:
            assert browser.get(before).status_code == 404


def test_the_link_needs_no_password_and_opens_nothing_else(open_console: Open, data_dir: Path) -> None:
    with a_registrar(Settings(data_dir=data_dir), lenka=[LENKA]):
        operator = open_console()
        post(operator, "/users/link", user="lenka")
        link = own_link(operator)
        guest = open_console(console_password=PASSWORD_HASH)
        assert guest.get(link).status_code == 200
        assert "Log out" not in guest.get(link).text
        assert 'href="/users"' not in guest.get(link).text
        for path in ("/users/one?user=lenka", "/groups", "/"):
            assert guest.get(path).headers["Location"].startswith("/login")
        assert guest.post("/users/rules", data={"user": "lenka"}, headers={"Origin": HERE}).status_code == 401


@pytest.mark.parametrize(
    "token", ["x", "bGVua2E.0", "bGVua2E", "...", "%FF", "bGVua2E." + "0" * 32, "a" * 5000]
)
def test_what_is_no_link_is_told_so(browser: TestClient, token: str) -> None:
    post(browser, "/users/link", user="lenka")
    answer = browser.get(f"/own/{token}")
    assert answer.status_code == 404
    assert "not valid" in answer.text


def test_the_registrar_is_silent(open_console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.console.people.ANSWER_S", 0.05)
    browser = open_console()
    assert browser.get("/groups").status_code == 503
    assert browser.get("/own/bGVua2E.0").status_code == 503


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lenka, lukas,jan", ["lenka", "lukas", "jan"]),
        ("lenka 101\n102 103", ["lenka", "101", "102", "103"]),
        ("0905 123 456, lenka", ["0905123456", "lenka"]),
        ("+421 905 123 456", ["+421905123456"]),
        ("0905123456 0905123457", ["0905123456", "0905123457"]),
        (" , ", []),
    ],
)
def test_destinations_as_people_write_them(text: str, words: list[str]) -> None:
    assert words_of(text) == words
