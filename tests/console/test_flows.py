"""The page of connections."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cli.conftest import answering as answering
from console.conftest import Open

Answering = Callable[[str, str, Any], list[Any]]


def connection(number: int, worker: int = 0) -> dict[str, Any]:
    return {
        "user": f"user{number}" if number else "<b>",
        "transport": "TLS",
        "host": f"10.0.0.{number}",
        "port": 5061,
        "cipher": "TLSv1.3 AES_256_GCM",
        "since_s": 3700.0,
        "idle_s": 5.0,
        "stranger": False,
        "worker": f"edge-stream.{worker}",
    }


def listed(answering: Answering, count: int, worker: int = 0, first: int = 0) -> list[Any]:
    """An edge-stream with such connections; what it was asked."""
    held = [{**connection(first + each, worker), "user": f"user{first + each}"} for each in range(count)]

    def answer(body: Sequence[Any]) -> list[Any]:
        text, skip, limit = body
        found = [each for each in held if text.lower() in each["user"]]
        return [found[skip : skip + limit], len(found), len(held)]

    return answering(f"edge-stream.{worker}.ask", "connections.list", answer)


def users(page: str) -> list[str]:
    return re.findall(r"<b>(user\d+)</b>", page)


def test_nobody(open_console: Open, answering: Answering) -> None:
    listed(answering, 0)
    answer = open_console().get("/connections")
    assert answer.status_code == 200
    assert "No phone is connected." in answer.text


def test_one(open_console: Open, answering: Answering) -> None:
    found = {**connection(7), "user": "", "stranger": True}
    answering("edge-stream.0.ask", "connections.list", [[connection(0), found], 2, 2])
    page = open_console().get("/connections").text
    assert "&lt;b&gt;</b></a>" in page
    assert "nobody yet" in page
    for text in ("10.0.0.7:5061", "TLSv1.3 AES 256 GCM", "1h 01m", "edge-stream.0", "1 to 2 of 2."):
        assert text in page


def test_pages_over_several_workers(
    open_console: Open, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.console.searching.A_PAGE", 4)
    asked = [listed(answering, 3), listed(answering, 5, 1, first=3)]
    browser = open_console(edge_streams=2)
    first = browser.get("/connections").text
    assert users(first) == ["user0", "user1", "user2", "user3"]
    assert "Previous" not in first
    (following,) = re.findall(r'href="([^"]*)">Next', first)
    second = browser.get(following.replace("&amp;", "&")).text
    assert users(second) == ["user4", "user5", "user6", "user7"]
    assert "5 to 8 of 8" in second
    assert "Next" not in second
    assert 'href="/connections?text=&amp;skip=0">Previous' in second
    assert [each[-1] for each in asked] == [["", 4, 4], ["", 1, 4]]


def test_a_search(open_console: Open, answering: Answering) -> None:
    listed(answering, 12)
    browser = open_console()
    page = browser.get("/connections?text=USER1").text
    assert users(page) == ["user1", "user10", "user11"]
    assert "1 to 3 of 3 that match; 12 in all." in page
    assert "No connection matches." in browser.get("/connections?text=nobody").text
    assert browser.get("/connections?skip=%D9%A3").status_code == 200


def test_a_worker_that_is_silent(open_console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.connections.ANSWER_S", 0.1)
    answer = open_console().get("/connections")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
