"""The page of subscriptions, and what the API says of them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import answering as answering
from cli.test_subscriptions import LISTED
from console.conftest import HERE, Open, token_of

from switchboard.auth.api_tokens import ApiTokens

Answering = Callable[[str, str, Any], list[Any]]


def watched(answering: Answering, *subscriptions: dict[str, Any]) -> list[Any]:
    """A presence worker with these; what it was asked."""

    def answer(body: Sequence[Any]) -> list[Any]:
        text, skip, most = body
        found = [each for each in subscriptions if text.lower() in each["user"]]
        return [found[skip : skip + most], len(found), len(subscriptions)]

    return answering("presence.0.ask", "subscriptions.find", answer)


def test_who_watches_whom(open_console: Open, answering: Answering) -> None:
    stranger = LISTED | {"watcher": "", "from": "<sip:<b>@x>", "failures": 2, "user": "group:office"}
    watched(answering, LISTED, stranger, LISTED | {"state": "waits"}, LISTED | {"state": "ends"})
    page = open_console(presence=True).get("/subscriptions").text
    for text in (
        '<a href="/users/one?user=lukas"><b>lukas</b></a>',
        '<a href="/users/one?user=lenka">lenka</a>',
        '<a href="/groups">group:office</a>',
        "&lt;sip:&lt;b&gt;@x&gt;",
        "2 not delivered",
        "not answered yet",
        "1 to 4 of 4.",
        "1m 30s",
    ):
        assert text in page
    assert page.count("<button>End") == 3  # what ends is not ended once more


def test_a_search_and_pages(
    open_console: Open, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.console.searching.A_PAGE", 2)
    watched(answering, *(LISTED | {"user": f"user{number}"} for number in range(3)), LISTED)
    browser = open_console(presence=True)
    first = browser.get("/subscriptions?text=USER").text
    assert "1 to 2 of 3 that match; 4 in all." in first
    (following,) = re.findall(r'href="([^"]*)">Next', first)
    second = browser.get(following.replace("&amp;", "&")).text
    assert ("user2" in second, "Next" in second, "Previous" in second) == (True, False, True)
    assert "No subscription matches." in browser.get("/subscriptions?text=x").text


def test_one_is_ended(open_console: Open, answering: Answering) -> None:
    watched(answering, LISTED)
    asked = answering("presence.0.ask", "subscriptions.end", lambda tag: tag == "sbp.1")
    browser = open_console(presence=True)
    csrf = token_of(browser.get("/subscriptions").text)
    for tag, said in (("sbp.1", "unsubscribed"), ("x", "not-unsubscribed")):
        form = {"csrf": csrf, "tag": tag, "text": "lenka"}
        answer = browser.post("/subscriptions/end", data=form, headers={"Origin": HERE})
        assert answer.headers["Location"] == f"/subscriptions?text=lenka&said={said}"
    assert asked[-2:] == ["sbp.1", "x"]
    assert "watches no more" in browser.get("/subscriptions?said=unsubscribed").text


def test_nobody_watches_and_nobody_can(open_console: Open, answering: Answering) -> None:
    watched(answering)
    assert "Nobody watches anybody." in open_console(presence=True).get("/subscriptions").text
    assert "presence = true" in open_console().get("/subscriptions").text


def test_a_worker_that_is_silent(open_console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.subscriptions.ANSWER_S", 0.1)
    answer = open_console(presence=True).get("/subscriptions")
    assert (answer.status_code, "does not answer" in answer.text) == (503, True)


def test_the_api_tells_the_same_and_ends_one(
    open_console: Open, answering: Answering, data_dir: Path
) -> None:
    watched(answering, LISTED, LISTED | {"tag": "sbp.2"})
    answering("presence.0.ask", "subscriptions.end", lambda tag: tag == "sbp.1")
    tokens = ApiTokens(data_dir / "api.tokens")
    browser, headers = (
        open_console(presence=True),
        {"Authorization": f"Bearer {tokens.add('one', False, 1.0)}"},
    )
    answer = browser.get("/api/v1/subscriptions?limit=1&text=LENKA", headers=headers).json()
    assert (answer["found"], answer["total"], answer["next"]) == (2, 2, "1")
    (one,) = answer["subscriptions"]
    assert (one["watcher"], one["user"], one["from_uri"]) == ("lukas", "lenka", "<sip:lukas@x>;tag=1")
    assert one["since_at"] == "1970-01-01T00:00:01.000Z"
    ended = [
        browser.delete(f"/api/v1/subscriptions/{tag}", headers=headers).status_code for tag in ("sbp.1", "x")
    ]
    assert ended == [204, 404]
