"""Whose turn it is, at the registrar: what routers tell it, what it tells them, what a successor knows."""

from pathlib import Path
from typing import Any

import pytest

from switchboard.workers.turn_register import A_FRAME, TurnRegister

AT = 1_800_000_000.0


class Told:
    """A publisher, as far as the register needs one."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def send(self, subject: str, body: Any) -> None:
        assert subject == "turns.now"
        self.events.append(body)


@pytest.fixture
def told() -> Told:
    return Told()


def make(told: Told, path: Path) -> TurnRegister:
    return TurnRegister(path / "turns.db", told)  # type: ignore[arg-type]


def test_what_one_router_tells_all_hear_at_once(told: Told, tmp_path: Path) -> None:
    register = make(told, tmp_path)
    register.greet()
    assert register.take([["group:office", 2], ["lenka", AT - 1]], AT) == 0
    assert register.take([["group:office", 1.0], ["lenka", AT - 2]], AT) == 0  # it is known better
    life = told.events[0][0]
    assert told.events == [[life, []], [life, [("group:office", 2.0), ("lenka", AT - 1)]]]
    register.close()


def test_a_successor_knows_it_and_tells_who_asks(told: Told, tmp_path: Path) -> None:
    first = make(told, tmp_path)
    first.take([[f"u{number}", number + 1.0] for number in range(A_FRAME + 1)], AT)
    first.keep()
    told.events.clear()
    second = make(told, tmp_path)  # the first one was killed
    assert len(second) == A_FRAME + 1
    second.take([["", 0.0]], AT)
    assert [len(items) for _, items in told.events] == [A_FRAME, 1]
    first.close()
    second.close()


def test_nobody_has_taken_a_call_in_the_future(told: Told, tmp_path: Path) -> None:
    """A router whose clock was far ahead; a group's number is no time."""
    register = make(told, tmp_path)
    register.take([["lenka", AT + 1e6], ["group:office", AT + 1e6]], AT)
    assert told.events[-1][1] == [("lenka", AT), ("group:office", AT + 1e6)]
    register.close()


def test_what_is_no_turn_is_counted(told: Told, tmp_path: Path) -> None:
    register = make(told, tmp_path)
    assert register.take([None, ["a"], ["a", "b"], ["lenka", 1.0]], AT) == 3
    register.close()
