"""How the edge learns which router holds a call while the set of routers changes."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from switchboard.core.held_calls import pack_sums
from switchboard.edge.held_calls import ASK_EVERY_S, COLLECT_EVERY_S, FIRST_ANSWERS_WITHIN_S, HeldCalls
from switchboard.sip.dispatch import Dispatcher

NOTHING = pack_sums(set())
NOBODY: dict[str, Any] = {}
BOTH = {"router.0": NOTHING, "router.1": NOTHING}


class FakeGroup:
    """Routers that answer what `says`; who is not in it is away."""

    def __init__(self, says: dict[str, Any], numbers: Mapping[str, int]) -> None:
        self.says = says
        self.answers: dict[str, Any] = {}
        self.asked = self.asked_rest = 0
        self.is_open = True
        self._numbers = numbers

    def ask(self) -> None:
        self.asked += 1

    def ask_rest(self) -> None:
        self.asked_rest += 1

    def collect(self) -> None:
        self.answers |= {name: self.says[name] for name in self._numbers if name in self.says}

    def wait(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.ask()
        self.collect()

    def close(self) -> None:
        self.is_open = False


class Edge:
    """A worker of the edge and the routers that it asks."""

    def __init__(
        self, path: Path, routers: int, says: Mapping[str, Any], leaving: Iterable[int] = ()
    ) -> None:
        self.dispatcher = Dispatcher(range(routers), lambda _: True)
        self.says = dict(says)
        self.groups: list[FakeGroup] = []
        self.questions: list[frozenset[int]] = []
        self.calls = HeldCalls(self.dispatcher, leaving, path, self._ask)
        self.now = 100.0
        self.calls.start(self.now)

    def _ask(self, numbers: Mapping[str, int], routers: frozenset[int]) -> FakeGroup:
        self.questions.append(routers)
        self.groups.append(FakeGroup(self.says, numbers))
        return self.groups[-1]

    @property
    def group(self) -> FakeGroup:
        return self.groups[-1]

    @property
    def routers(self) -> set[int]:
        return set(self.dispatcher.routers)

    @property
    def held(self) -> dict[int, int]:
        return self.dispatcher.held

    def pass_(self, for_s: float = ASK_EVERY_S, **says: Any) -> dict[int, int]:
        """A while, in which the routers answer this."""
        self.says |= {f"router.{name[1:]}": answer for name, answer in says.items()}
        self.now += for_s
        self.calls.handle_timer(self.now)
        return dict(self.held)

    def end(self, **says: Any) -> None:
        """Nobody holds anything any more."""
        for _ in range(4):
            self.pass_(**says)
        assert not self.calls.is_changing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "routers"


def test_the_same_as_before_are_not_asked(path: Path) -> None:
    for _ in range(2):
        edge = Edge(path, 2, NOBODY)
        assert (edge.groups, edge.calls.next_at, edge.calls.note()) == ([], math.inf, "")
    assert path.read_text() == "in service: 0 1\n"


def test_a_call_goes_to_who_holds_it_until_it_is_over(path: Path) -> None:
    edge = Edge(path, 1, {"router.0": NOTHING, "router.1": pack_sums({5, 7})}, leaving=[1])
    assert edge.held == {5: 1, 7: 1}
    assert edge.calls.note().endswith("holds them: 2")
    assert edge.pass_(r1=pack_sums({7})) == {5: 1, 7: 1}, "what is under way finds it, too"
    assert edge.pass_() == {7: 1}
    assert edge.pass_(r1=NOTHING) == {7: 1}
    assert edge.calls.is_changing
    assert path.read_text() == "changing\n"
    assert edge.pass_() == {}
    assert (edge.calls.is_changing, edge.group.is_open, edge.calls.next_at) == (False, False, math.inf)
    assert path.read_text() == "in service: 0\n"
    assert set(edge.questions) == {frozenset({0})}


def test_fewer_than_before_are_asked_at_the_start(path: Path) -> None:
    Edge(path, 2, NOBODY)
    edge = Edge(path, 1, {"router.0": NOTHING, "router.1": pack_sums({9})})
    assert (edge.held, edge.routers) == ({9: 1}, {0})
    edge.end(r1=NOTHING)
    assert not Edge(path, 1, NOBODY).calls.is_changing


def test_who_is_new_gets_calls_once_all_have_answered(path: Path) -> None:
    Edge(path, 1, NOBODY)
    edge = Edge(path, 2, {"router.0": pack_sums({9})})
    assert (edge.routers, edge.calls.is_changing) == ({0}, False), "nobody knows whether it is there"
    edge.calls.change([0, 1], [0, 1], edge.now)
    assert edge.pass_(COLLECT_EVERY_S) == {9: 0}
    assert (edge.routers, edge.group.asked_rest) == ({0}, 1)
    edge.pass_(COLLECT_EVERY_S, r1=NOTHING)
    assert edge.routers == {0, 1}
    assert edge.held == {9: 0}
    assert edge.questions == [frozenset({0, 1})]
    edge.end(r0=NOTHING)
    assert path.read_text() == "in service: 0 1\n"


def test_who_does_not_answer_delays_the_others_for_a_moment_only(path: Path) -> None:
    edge = Edge(path, 3, {"router.0": NOTHING, "router.1": NOTHING})
    edge.calls.change([0, 1], [0, 1, 2], edge.now)
    edge.pass_(FIRST_ANSWERS_WITHIN_S / 2)
    assert edge.routers == {0, 1, 2}
    edge.pass_(FIRST_ANSWERS_WITHIN_S / 2)
    assert edge.routers == {0, 1}


def test_who_is_gone_gets_nothing_from_this_moment(path: Path) -> None:
    edge = Edge(path, 3, {**BOTH, "router.2": pack_sums({4})}, leaving=[2])
    edge.calls.change([0, 1], [0, 1, 2], edge.now)
    edge.pass_()
    assert edge.held == {4: 2}
    edge.calls.change([0], [0], edge.now)
    assert (edge.routers, edge.held) == ({0}, {})


def test_what_somebody_held_stays_known_while_more_changes(path: Path) -> None:
    edge = Edge(path, 2, {"router.0": NOTHING, "router.1": pack_sums({4})}, leaving=[1])
    edge.calls.change([0], [0, 1], edge.now)
    assert edge.held == {4: 1}
    assert not edge.groups[0].is_open
    edge.end(r1=NOTHING)
    assert edge.held == {}


def test_a_process_that_ends_during_a_change_is_followed_by_one_that_asks(path: Path) -> None:
    edge = Edge(path, 2, BOTH)
    edge.calls.change([0, 1], [0, 1], edge.now)
    assert Edge(path, 2, {"router.0": pack_sums({3}), "router.1": NOTHING}).held == {3: 0}


def test_who_is_away_is_waited_for_and_what_it_held_stays(path: Path) -> None:
    edge = Edge(path, 1, {"router.0": NOTHING}, leaving=[1])
    assert edge.held == {}
    assert edge.pass_(r1=pack_sums({3})) == {3: 1}
    del edge.says["router.1"]
    for _ in range(3):
        assert edge.pass_() == {3: 1}
    edge.calls.handle_timer(edge.now)
    assert edge.group.asked == 30 + 5, "once a second"


@pytest.mark.parametrize("answer", ["refused", b"odd", None, 5])
def test_an_answer_that_is_none(path: Path, answer: Any) -> None:
    """Of a router of an earlier version."""
    edge = Edge(path, 1, {"router.0": NOTHING, "router.1": answer}, leaving=[1])
    for _ in range(3):
        assert edge.pass_() == {}
    assert edge.calls.is_changing
    edge.calls.close()
    assert not edge.group.is_open


@pytest.mark.parametrize(
    "content", ["", "many", "2\n", "in service: \n", "in service: 0 x\n", "in service: 5\n"]
)
def test_a_set_that_is_unknown_or_of_an_earlier_version(path: Path, content: str) -> None:
    path.write_text(content)
    edge = Edge(path, 2, BOTH)
    assert (edge.calls.is_changing, edge.routers) == (True, {0, 1})
    edge.end(r5=NOTHING)
    assert path.read_text() == "in service: 0 1\n"


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    edge = Edge(tmp_path / "none" / "routers", 2, BOTH)
    assert not edge.calls.is_changing
    edge.calls.change([0], [0, 1], edge.now)
    edge.end()
    assert edge.routers == {0}
