"""How edge-rx learns which router holds a call while the number of routers changes."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from switchboard.core.held_calls import pack_sums
from switchboard.edge.held_calls import ASK_EVERY_S, HeldCalls

NUMBERS = {"router.0": 0, "router.1": 1}
NOTHING = pack_sums(set())


class FakeGroup:
    """Routers that answer what `says`; who is not in it is away."""

    def __init__(self, says: Mapping[str, Any]) -> None:
        self.says = dict(says)
        self.answers: dict[str, Any] = {}
        self.asked = 0
        self.is_open = True

    def ask(self) -> None:
        self.asked += 1

    def collect(self) -> None:
        self.answers |= self.says

    def wait(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.ask()
        self.collect()

    def close(self) -> None:
        self.is_open = False


class Edge:
    """An edge-rx and the routers that it asks."""

    def __init__(self, path: Path, routers: int, numbers: Mapping[str, int], says: Mapping[str, Any]) -> None:
        self.held: dict[int, int] = {}
        self.group = FakeGroup(says)
        self.calls = HeldCalls(self.held, routers, numbers, path, lambda _: self.group)
        self.now = 100.0
        self.calls.start(self.now)

    def pass_(self, **says: Any) -> dict[int, int]:
        """A second, in which the routers answer this."""
        self.group.says |= {f"router.{name[1:]}": answer for name, answer in says.items()}
        self.now += ASK_EVERY_S
        self.calls.handle_timer(self.now)
        return dict(self.held)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "routers"


def test_as_many_as_before_are_not_asked(path: Path) -> None:
    for _ in range(2):
        edge = Edge(path, 2, NUMBERS, {})
        assert (edge.group.asked, edge.calls.next_at, edge.calls.note()) == (0, math.inf, "")
    assert path.read_text() == "2\n"


def test_a_call_goes_to_who_holds_it_until_it_is_over(path: Path) -> None:
    edge = Edge(path, 1, NUMBERS, {"router.0": NOTHING, "router.1": pack_sums({5, 7})})
    assert edge.held == {5: 1, 7: 1}
    assert edge.calls.note().endswith("holds them: 2")
    assert edge.pass_(r1=pack_sums({7})) == {5: 1, 7: 1}, "what is under way finds it, too"
    assert edge.pass_() == {7: 1}
    assert edge.pass_(r1=NOTHING) == {7: 1}
    assert edge.calls.is_changing
    assert edge.pass_() == {}
    assert (edge.calls.is_changing, edge.group.is_open, edge.calls.next_at) == (False, False, math.inf)
    assert path.read_text() == "1\n"


def test_more_than_before_are_asked_until_nobody_holds_any(path: Path) -> None:
    Edge(path, 1, {"router.0": 0}, {})
    edge = Edge(path, 2, NUMBERS, {"router.0": pack_sums({9}), "router.1": NOTHING})
    assert edge.held == {9: 0}
    edge.pass_(r0=NOTHING)
    edge.pass_()
    assert not edge.calls.is_changing
    assert not Edge(path, 2, NUMBERS, {}).calls.is_changing


def test_who_is_found_later_is_asked(path: Path) -> None:
    edge = Edge(path, 1, {"router.0": 0}, dict.fromkeys(NUMBERS, NOTHING))
    edge.calls.begin(NUMBERS, edge.now)
    assert edge.calls.is_changing
    assert edge.pass_(r1=pack_sums({4})) == {4: 1}
    for _ in range(3):
        edge.pass_(r1=NOTHING)
    assert not edge.calls.is_changing


def test_who_is_away_is_waited_for_and_what_it_held_stays(path: Path) -> None:
    edge = Edge(path, 1, NUMBERS, {"router.0": NOTHING})
    assert edge.held == {}
    assert edge.pass_(r1=pack_sums({3})) == {3: 1}
    del edge.group.says["router.1"]
    for _ in range(3):
        assert edge.pass_() == {3: 1}
    edge.calls.handle_timer(edge.now)
    assert edge.group.asked == 30 + 5, "once a second"


@pytest.mark.parametrize("answer", ["refused", b"odd", None, 5])
def test_an_answer_that_is_none(path: Path, answer: Any) -> None:
    """Of a router of an earlier version."""
    edge = Edge(path, 1, NUMBERS, {"router.0": NOTHING, "router.1": answer})
    for _ in range(3):
        assert edge.pass_() == {}
    assert edge.calls.is_changing
    edge.calls.close()
    assert not edge.group.is_open


@pytest.mark.parametrize("content", ["", "many", "3"])
def test_a_number_that_cannot_be_read_is_ours(path: Path, content: str) -> None:
    path.write_text(content)
    edge = Edge(path, 2, NUMBERS, dict.fromkeys(NUMBERS, NOTHING))
    assert edge.calls.is_changing is (content == "3")


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    assert not Edge(tmp_path / "none" / "routers", 1, {"router.0": 0}, {}).calls.is_changing
