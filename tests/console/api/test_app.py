"""Who may use the API, and how it refuses."""

from pathlib import Path
from typing import Any

import pytest
from console.api.conftest import Ask
from console.conftest import HERE, PASSWORD, PASSWORD_HASH, Open, token_of
from starlette.testclient import TestClient

from switchboard.auth.api_tokens import ApiTokens
from switchboard.console.access import MAX_BODY_BYTES
from switchboard.console.guesses import FREE

ROOT = "/api/v1"


def operations(browser: TestClient) -> list[tuple[str, str]]:
    """Method and path of each, the parameters filled in."""
    described = browser.get(f"{ROOT}/openapi.json").json()["paths"]
    return [
        (method.upper(), ROOT + path.replace("{", "").replace("}", ""))
        for path, methods in described.items()
        for method in methods
    ]


def check_problem(answer: Any, status: int) -> None:
    """It is as RFC 9457 has it."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code == status
    assert answer.json()["detail"]


def test_the_description_is_for_everybody(open_console: Open) -> None:
    described = open_console(console_password=PASSWORD_HASH).get(f"{ROOT}/openapi.json")
    assert described.status_code == 200
    assert described.json()["openapi"].startswith("3.1")
    assert len(operations(open_console())) == 35


def test_the_documentation_has_every_operation(open_console: Open) -> None:
    text = (Path(__file__).parents[3] / "docs" / "API.md").read_text(encoding="utf-8")
    described = open_console().get(f"{ROOT}/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method in methods:
            assert f"`{method.upper()} {path}" in text


def test_nothing_is_done_without_a_token(open_console: Open) -> None:
    browser = open_console()
    for method, path in operations(browser):
        answer = browser.request(method, path)
        check_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "Set-Cookie" not in answer.headers


def test_a_cookie_is_no_token(open_console: Open) -> None:
    browser = open_console(console_password=PASSWORD_HASH)
    form = {"csrf": token_of(browser.get("/login").text), "password": PASSWORD}
    assert browser.post("/login", data=form, headers={"Origin": HERE}).status_code == 303
    assert browser.get("/journal").status_code == 200
    for method, path in operations(browser):
        check_problem(browser.request(method, path, headers={"Origin": HERE}), 401)


def test_who_may_read_changes_nothing(open_console: Open, tokens: ApiTokens) -> None:
    browser, headers = open_console(), {"Authorization": f"Bearer {tokens.add('reader', True, 1.0)}"}
    writing = [(method, path) for method, path in operations(browser) if method != "GET"]
    assert len(writing) == 12
    for method, path in writing:
        check_problem(browser.request(method, path, headers=headers), 403)
    assert browser.get(f"{ROOT}/phrases", headers=headers).status_code == 200


def test_a_token_is_void_once_it_is_removed(open_console: Open, tokens: ApiTokens, token: str) -> None:
    browser, headers = open_console(), {"Authorization": f"Bearer {token}"}
    assert browser.get(f"{ROOT}/phrases", headers=headers).status_code == 200
    tokens.remove("office")
    check_problem(browser.get(f"{ROOT}/phrases", headers=headers), 401)


def test_who_guesses_waits_and_who_has_a_token_does_not(open_console: Open, token: str) -> None:
    browser = open_console()
    guesses = [
        browser.get(f"{ROOT}/phrases", headers={"Authorization": f"Bearer {number}"})
        for number in range(FREE + 1)
    ]
    for answer in guesses[:-1]:
        check_problem(answer, 401)
    check_problem(guesses[-1], 429)
    assert int(guesses[-1].headers["Retry-After"]) >= 1
    assert browser.get(f"{ROOT}/phrases", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_file_of_tokens_that_cannot_be_used_opens_nothing(
    open_console: Open, tokens: ApiTokens, token: str
) -> None:
    tokens._path.write_text("{")
    answer = open_console().get(f"{ROOT}/phrases", headers={"Authorization": f"Bearer {token}"})
    check_problem(answer, 503)


@pytest.mark.parametrize("path", ["/none", "/users/a/b", "/users//password", "/", "/x%0Ay", "/users/%0A"])
def test_there_is_nothing_of_that_name(ask: Ask, path: str) -> None:
    check_problem(ask("GET", path), 404)


def test_other_methods(ask: Ask) -> None:
    answer = ask("PUT", "/users")
    check_problem(answer, 405)
    assert answer.headers["Allow"] == "GET, POST"
    assert ask("HEAD", "/phrases").status_code == 200


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/journal?limit=0", "query.limit"),
        ("/journal?limit=501", "query.limit"),
        ("/journal?cursor=x", "query.cursor"),
        ("/journal?since=2026-13-01", "query.since"),
        ("/journal?unknown=1", "query.unknown"),
        ("/bindings?cursor=1.2", "query.cursor"),
        ("/phrases?code=99", "query.code"),
    ],
)
def test_queries_that_do_not_fit(ask: Ask, path: str, where: str) -> None:
    answer = ask("GET", path)
    check_problem(answer, 400)
    assert [each["where"] for each in answer.json()["errors"]] == [where]


def test_days_that_are_none(ask: Ask) -> None:
    check_problem(ask("GET", "/journal?since=2026-02-30"), 400)
    check_problem(ask("GET", "/journal?limit=1&limit=2"), 400)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"user": 1}', "application/json", 400),
        (b'{"user": "a b"}', "application/json", 400),
        (b'{"user": "a", "more": 1}', "application/json", 400),
        (b'{"user": "a", "display_name": "\\ud800"}', "application/json", 400),
        (b'{"user": "a"}', "text/plain", 415),
        (b"user=a", "application/x-www-form-urlencoded", 415),
        (b" " * (MAX_BODY_BYTES + 1), "application/json", 413),
    ],
)
def test_bodies_that_do_not_fit(ask: Ask, body: bytes, kind: str, status: int) -> None:
    check_problem(ask("POST", "/users", kind, content=body), status)


def test_too_much_at_once(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.console.api.app.MOST_AT_ONCE", 0)
    answer = ask("GET", "/phrases")
    check_problem(answer, 503)
    assert answer.headers["Retry-After"] == "1"
