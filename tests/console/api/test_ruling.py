"""The operations about rules of users and groups."""

from typing import Any

import pytest
from console.api.conftest import Ask
from structlog.testing import capture_logs

NONE: dict[str, Any] = {
    "always": "",
    "busy": "",
    "no_answer": "",
    "unregistered": "",
    "after_s": 20,
    "dnd": False,
    "also": [],
}


def test_rules_are_shown_changed_listed_and_removed(ask: Ask) -> None:
    assert ask("GET", "/users/lenka/rules").json() == {"user": "lenka", "notes": [], **NONE}
    with capture_logs() as logs:
        answer = ask("PATCH", "/users/lenka/rules", json={"busy": "eva", "after_s": 15, "also": ["101"]})
    assert answer.status_code == 200
    assert answer.json()["notes"] == ["no users yet, and not registered: eva, 101"]
    assert [(log["event"], log["user"], log["token"]) for log in logs] == [
        ("user has other rules", "lenka", "office")
    ]
    ask("PATCH", "/users/lenka/rules", json={"dnd": True, "also": []})
    rules = NONE | {"busy": "eva", "after_s": 15, "dnd": True}
    assert ask("GET", "/rules").json() == {"rules": [{"user": "lenka", "rules": rules}], "next": None}
    ask("PATCH", "/users/lenka/rules", json=NONE)
    assert ask("GET", "/rules").json()["rules"] == []
    assert ask("GET", "/users/nobody/rules").status_code == 404


def test_groups_are_made_shown_listed_and_deleted(ask: Ask) -> None:
    put = ask("PUT", "/groups/office", json={"members": ["lenka"], "way": "turn"})
    assert put.json() == {
        "group": "office",
        "members": ["lenka"],
        "way": "turn",
        "after_s": 20,
        "then": "",
        "notes": [],
    }
    assert ask("GET", "/groups/office").json() == put.json()
    ask("PUT", "/groups/sales", json={"members": ["group:office"]})
    first = ask("GET", "/groups", params={"limit": 1}).json()
    assert ([each["group"] for each in first["groups"]], first["next"]) == (["office"], "office")
    rest = ask("GET", "/groups", params={"cursor": "office"}).json()
    assert ([each["group"] for each in rest["groups"]], rest["next"]) == (["sales"], None)
    assert ask("GET", "/rules").json() == {"rules": [], "next": None}
    assert ask("DELETE", "/groups/office").status_code == 204
    for method in ("GET", "DELETE"):
        assert ask(method, "/groups/office").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("PATCH", "/users/lenka/rules", {"always": "lenka"}, "lenka again"),
        ("PATCH", "/users/lenka/rules", {"busy": "two words"}, "no destination"),
        ("PATCH", "/users/a%20b/rules", {"busy": "eva"}, "cannot be a user"),
        ("PATCH", "/users/lenka/rules", {"after_s": 0}, "body.after_s"),
        ("PATCH", "/users/lenka/rules", {"often": "eva"}, "body.often"),
        ("PUT", "/groups/office", {"members": []}, "body.members"),
        ("PUT", "/groups/office", {"members": [f"u{each}" for each in range(1001)]}, "body.members"),
        ("PUT", "/groups/office", {"members": ["group:office"]}, "member of itself"),
        ("PUT", "/groups/-", {"members": ["lenka"]}, "no name of a group"),
    ],
)
def test_what_cannot_be_is_refused_in_words(ask: Ask, method: str, path: str, body: Any, said: str) -> None:
    answer = ask(method, path, json=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert ask("GET", "/rules").json()["rules"] == ask("GET", "/groups").json()["groups"] == []
