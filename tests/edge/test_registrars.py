"""Which registrars of several get REGISTERs: who is dead, who cannot write, who is back."""

from collections.abc import Sequence

import pytest

from switchboard.edge.in_service import AWAY, LOOK_EVERY_S, STEADY
from switchboard.edge.registrars import FIRST, Registrars
from switchboard.sip.dispatch import Dispatcher


class Edge:
    """A worker of the edge, and `count` registrars."""

    def __init__(self, count: int = 3) -> None:
        self.dispatcher = Dispatcher([0], lambda _: True, registrars=count)
        self.down: set[int] = set()
        self.gone: list[tuple[int, set[int]]] = []
        self.now = 0.0
        self.registrars = Registrars(
            self.dispatcher,
            lambda each: each not in self.down,
            lambda each: self.gone.append((each, self.serving)),
        )

    @property
    def serving(self) -> set[int]:
        return set(self.dispatcher.registrar_table)

    def look(self, beating: Sequence[int], times: int = 1, mute: Sequence[int] = ()) -> set[int]:
        """Looks before which these beat; those of `mute` tell that they cannot write. Who gets REGISTERs then."""
        for _ in range(times):
            for each in (*beating, *mute):
                assert self.registrars.hear(each, each not in mute)
            self.now += LOOK_EVERY_S
            self.registrars.handle_timer(self.now)
        return self.serving


def test_one_registrar_is_never_looked_at() -> None:
    edge = Edge(1)
    assert edge.registrars.next_at == float("inf")
    assert edge.registrars.stats() == {}
    assert not edge.registrars.hear(1, True)


def test_a_dead_one_is_passed_over_after_two_looks_and_comes_back_when_it_beats_steadily() -> None:
    edge = Edge()
    assert edge.look([0, 1, 2]) == {0, 1, 2}
    edge.down = {1}
    assert edge.look([0, 2]) == {0, 1, 2}
    assert edge.look([0, 2]) == {0, 2}
    assert edge.gone == [(1, {0, 2})]
    assert edge.registrars.notes() == ["registrar.1 is away: its users go to the other registrars"]
    edge.down = set()
    assert edge.look([0, 1, 2], STEADY - 1) == {0, 2}
    assert edge.look([0, 1, 2]) == {0, 1, 2}
    assert (edge.gone, edge.registrars.notes()) == ([(1, {0, 2})], [])
    assert edge.registrars.stats() == {"registrars_away": 0, "registrar_changes": 2}


def test_a_silent_one_is_passed_over_though_its_link_is_up() -> None:
    edge = Edge(2)
    edge.look([0, 1])
    assert edge.look([0], AWAY - 1) == {0, 1}
    assert edge.look([0]) == {0}


def test_one_that_has_never_beaten_gets_time_to_start() -> None:
    edge = Edge(2)
    assert edge.look([0], FIRST - 1) == {0, 1}
    assert edge.look([0]) == {0}


def test_one_that_cannot_write_has_users_only_if_no_other_can() -> None:
    edge = Edge(2)
    assert edge.look([0], mute=[1]) == {0}
    assert (edge.gone, edge.registrars.away) == ([], frozenset())
    assert "registrar.1 cannot write" in edge.registrars.notes()[0]
    assert edge.look([], mute=[0, 1]) == {0, 1}
    assert edge.look([1], STEADY, mute=[0]) == {1}


def test_the_last_one_that_is_there_gets_all_even_if_it_cannot_write() -> None:
    edge = Edge(2)
    edge.look([0, 1])
    edge.down = {0}
    assert edge.look([], 2, mute=[1]) == {1}
    assert edge.gone == [(0, {1})]


def test_while_nobody_is_heard_all_stays_as_it_was() -> None:
    edge = Edge(2)
    edge.look([0, 1])
    edge.down = {0, 1}
    assert edge.look([], 3 * AWAY) == {0, 1}
    assert edge.gone == []
    edge.down = {1}
    assert edge.look([0], STEADY) == {0}


@pytest.mark.parametrize("count", [2, 16])
def test_users_of_a_dead_one_go_to_others_and_those_of_others_stay(count: int) -> None:
    edge = Edge(count)
    rest = [each for each in range(count) if each != 1]
    edge.look(range(count))
    before = bytes(edge.dispatcher.registrar_table)
    edge.look(rest, AWAY)
    after = bytes(edge.dispatcher.registrar_table)
    assert all(one == two for one, two in zip(before, after, strict=True) if one != 1)
