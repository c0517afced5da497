"""The pages of users and phones, beside a registrar's real socket and store."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import answering as answering
from console.conftest import HERE, PASSWORD_HASH, Open, token_of
from console.registrars import a_registrar
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from switchboard.auth.digest import SHA256, make_ha1
from switchboard.auth.user_store import UserStore
from switchboard.console.users import phone_settings
from switchboard.settings.model import Settings

Answering = Callable[[str, str, Any], list[Any]]
LENKA = "sip:lenka@10.0.0.7:5060"
ACTS = ("add", "password", "name", "remove", "unbind")


@pytest.fixture
def browser(open_console: Open, data_dir: Path) -> Iterator[TestClient]:
    """At a console with passwords; lenka is registered, and has no password."""
    with a_registrar(Settings(data_dir=data_dir, auth="on", realm="office"), lenka=[LENKA]):
        yield open_console(auth="on", realm="office", domains=["pbx.example.com"], sip_port=5070)


def act(browser: TestClient, what: str, **form: str) -> Any:
    token = token_of(browser.get("/users").text)
    return browser.post(f"/users/{what}", data={"csrf": token, **form}, headers={"Origin": HERE})


def password_on(page: str) -> str:
    found = re.search(r"<dt>Password</dt><dd><code>(\w{20})</code>", page)
    assert found
    return found[1]


def test_a_new_user_and_what_to_type(browser: TestClient, data_dir: Path) -> None:
    with capture_logs() as logs:
        answer = act(browser, "add", user="lukas", display_name="Lukáš <b>")
    password = password_on(answer.text)
    for shown in ("pbx.example.com", "5070", "UDP", "Lukáš &lt;b&gt;", "<svg"):
        assert shown in answer.text
    store = UserStore(data_dir / "users.db")
    record = store.find("lukas")
    store.close()
    assert record
    assert record.sha256 == make_ha1(SHA256, "lukas", "office", password)
    assert [log["event"] for log in logs] == ["user added"]
    assert password not in str(logs)
    assert password not in browser.get("/users/one?user=lukas").text


def test_another_password(browser: TestClient) -> None:
    first = password_on(act(browser, "add", user="lukas").text)
    assert password_on(act(browser, "password", user="lukas").text) != first


def test_another_name(browser: TestClient) -> None:
    answer = act(browser, "name", user="lenka", display_name="Lenka K.")
    assert answer.status_code == 303
    assert "<h1>Lenka K.</h1>" in browser.get(answer.headers["Location"]).text


def test_a_phone_less(browser: TestClient) -> None:
    assert LENKA in browser.get("/users/one?user=lenka").text
    answer = act(browser, "unbind", user="lenka", contact=LENKA)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/users/one?user=lenka&said=unbound")
    assert LENKA not in browser.get("/users").text


def test_a_user_less(browser: TestClient) -> None:
    act(browser, "add", user="lukas")
    assert act(browser, "remove", user="lukas").headers["Location"] == "/users?said=removed"
    assert act(browser, "remove", user="lenka").status_code == 303
    page = browser.get("/users?said=removed").text
    assert "There is no user yet." in page
    assert "The user was removed." in page


def test_search(browser: TestClient) -> None:
    act(browser, "add", user="lukas")
    page = browser.get("/users?text=YEALINK").text
    assert ("user=lenka" in page, "user=lukas" in page) == (True, False)
    assert "No user matches." in browser.get("/users?text=%3Cnobody%3E").text


@pytest.mark.parametrize(
    ("what", "form", "status", "said"),
    [
        ("add", {"user": "a b"}, 400, "cannot stand in a SIP address"),
        ("add", {}, 400, "cannot stand in a SIP address"),
        ("add", {"user": "eva", "display_name": "x" * 65}, 400, "at most 64 characters"),
        ("password", {"user": "eva"}, 404, "There is no user eva"),
        ("name", {"user": "eva", "display_name": "Eva"}, 404, "There is no user eva"),
        ("remove", {"user": "eva"}, 404, "There is no user eva"),
        ("unbind", {"user": "lenka", "contact": "sip:x"}, 404, "lenka is not registered at sip:x"),
        ("unbind", {"user": "lenka"}, 404, "lenka is not registered at no contact"),
    ],
)
def test_what_cannot_be_done(
    browser: TestClient, what: str, form: dict[str, str], status: int, said: str
) -> None:
    answer = act(browser, what, **form)
    assert (answer.status_code, said in unescape(answer.text)) == (status, True)
    assert LENKA in browser.get("/users/one?user=lenka").text


def test_there_is_one_already(browser: TestClient) -> None:
    act(browser, "add", user="lukas")
    assert act(browser, "add", user="lukas").status_code == 409


@pytest.mark.parametrize("what", ACTS)
def test_a_form_without_our_token_does_nothing(browser: TestClient, what: str) -> None:
    form = {"user": "lenka", "contact": LENKA, "display_name": "x"}
    for data, headers in (({}, {"Origin": HERE}), ({"csrf": "x"}, {"Origin": HERE}), ({}, {})):
        assert browser.post(f"/users/{what}", data=form | data, headers=headers).status_code == 403
    token = token_of(browser.get("/users").text)
    assert browser.get(f"/users/{what}?csrf={token}&user=lenka").status_code == 405
    page = browser.get("/users/one?user=lenka").text
    assert LENKA in page
    assert "<h1>lenka</h1>" in page


@pytest.mark.parametrize("path", ["/users", "/users/one?user=lenka"])
def test_nobody_sees_it_without_the_password(open_console: Open, path: str) -> None:
    browser = open_console(console_password=PASSWORD_HASH)
    assert browser.get(path).headers["Location"].startswith("/login")


def test_the_registrar_is_silent(open_console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.console.people.ANSWER_S", 0.05)
    browser = open_console(auth="on")
    answer = browser.get("/users")
    assert (answer.status_code, "does not answer" in answer.text) == (503, True)
    for what in ("add", "password", "remove", "unbind"):
        answer = act(browser, what, user="lenka", contact=LENKA)
        assert answer.status_code == 503
        assert "Nothing was changed." in answer.text


def test_without_passwords_a_new_user_is_told_what_to_type(open_console: Open, data_dir: Path) -> None:
    with a_registrar(Settings(data_dir=data_dir)):
        answer = act(open_console(sip_host="127.0.0.1"), "add", user="lukas")
    assert answer.status_code == 200
    assert "<code>127.0.0.1</code>" in answer.text
    assert "Password</dt>" not in answer.text


@pytest.mark.parametrize(
    ("settings", "said", "unsaid"),
    [
        ({}, ["or TCP<"], ["With TLS", "/authority"]),
        (
            {"tcp_port": 5070, "tls": True, "tls_port": 5071},
            ["or TCP at port 5070", "5071", "/authority"],
            [],
        ),
        ({"transports": ["udp"]}, [">UDP<"], ["or TCP"]),
    ],
)
def test_the_transports_to_choose_from(
    open_console: Open, data_dir: Path, settings: Any, said: list[str], unsaid: list[str]
) -> None:
    with a_registrar(Settings(data_dir=data_dir)):
        answer = act(open_console(sip_host="127.0.0.1", **settings), "add", user="lukas")
    assert [each in answer.text for each in said] == [True] * len(said)
    assert [each in answer.text for each in unsaid] == [False] * len(unsaid)


@pytest.mark.parametrize(
    ("settings", "browser", "domain", "place"),
    [
        ({"sip_host": "10.1.2.3"}, "10.1.2.9", "10.1.2.3", "10.1.2.3"),
        ({"sip_host": "10.1.2.3", "sip_port": 5070}, "127.0.0.1", "10.1.2.3", "10.1.2.3:5070"),
        ({"sip_host": "2001:db8::1"}, "testclient", "2001:db8::1", "[2001:db8::1]"),
        ({"sip_host": "10.1.2.3", "domains": ["a.test", "b.test"]}, "", "a.test", "a.test"),
    ],
)
def test_what_to_type(settings: Any, browser: str, domain: str, place: str) -> None:
    found = phone_settings(Settings(**settings), browser, "h:8080")
    assert (found.domain, found.place) == (domain, place)
    assert found.address == settings["sip_host"]


def test_the_list_shows_whether_phones_answer(
    open_console: Open, answering: Answering, data_dir: Path
) -> None:
    other = "sip:lenka@10.0.0.8"
    asked = answering(
        "router.0.ask",
        "bindings.reach",
        {"lenka": [[LENKA, 0.0124, 3.0, 0], [other, 0.02, 65.0, 2]]},
    )
    with a_registrar(Settings(data_dir=data_dir), lenka=[LENKA, other], tom=["sip:tom@10.0.0.9"]):
        page = open_console(qualify_s=30).get("/users").text
        assert "Answers" not in open_console().get("/users").text
    row = page[page.index("lenka") : page.index("tom")]
    assert re.findall(r">(12 ms|does not answer|3s ago|seen 1m 05s ago)<", row) == [
        "12 ms",
        "3s ago",
        "does not answer",
        "seen 1m 05s ago",
    ]
    assert "not asked yet" in page
    assert asked == [["lenka", "tom"]]


def test_tls_with_the_authority_as_file_and_code(open_console: Open, data_dir: Path) -> None:
    with a_registrar(Settings(data_dir=data_dir)):
        page = act(open_console(tls=True), "add", user="lukas").text
        assert act(open_console(), "add", user="lukas").text.count("<svg") == 1
    for shown in ("TLS", "5061", 'href="/authority.pem"', "http://127.0.0.1:8080/authority.pem"):
        assert shown in page
    assert page.count("<svg") == 2
