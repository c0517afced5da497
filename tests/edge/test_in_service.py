"""Which routers the edge gives new calls to: who is dead, who is back, who is drained."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from edge.test_held_calls import NOTHING, Edge

from switchboard.edge.in_service import AWAY, AWAY_HERE, LOOK_EVERY_S, PATIENCE, STEADY, InService
from switchboard.sip.dispatch import NO_WAY


class Routers:
    """A worker of the edge, and routers on other hosts, but for those `here`."""

    def __init__(
        self,
        path: Path,
        count: int = 3,
        here: tuple[int, ...] = (),
        leaving: tuple[int, ...] = (),
        standbys: Mapping[int, int] | None = None,
    ) -> None:
        says = {f"router.{each}": NOTHING for each in range(count + 1)}
        self.edge = Edge(path, count, says, leaving)
        self.down: set[int] = set()
        self.gone: list[tuple[int, set[int]]] = []
        self.in_service = InService(
            self.edge.dispatcher,
            self.edge.calls,
            range(count),
            here,
            lambda each: each not in self.down,
            lambda each: self.gone.append((each, self.routers)),
            leaving,
            standbys,
        )
        self.in_service.start(self.edge.now)

    @property
    def routers(self) -> set[int]:
        return self.edge.routers

    def look(
        self, *beating: int, times: int = 1, drained: tuple[int, ...] = (), unready: tuple[int, ...] = ()
    ) -> set[int]:
        """Seconds in which these beat; the routers that get new calls then."""
        for _ in range(times):
            for each in beating:
                assert self.in_service.hear(each, each in drained, each not in unready)
            self.edge.now += LOOK_EVERY_S
            self.in_service.handle_timer(self.edge.now)
        return self.routers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "routers"


def test_all_that_beat_are_in_service(path: Path) -> None:
    routers = Routers(path)
    assert routers.look(0, 1, 2, times=20) == {0, 1, 2}
    assert (routers.in_service.notes(), routers.in_service.stats()) == (
        [],
        {"routers_away": 0, "router_changes": 0},
    )


def test_one_whose_link_is_down_is_away_after_two_looks(path: Path) -> None:
    routers = Routers(path)
    routers.look(0, 1, 2)
    routers.down.add(1)
    assert routers.look(0, 2) == {0, 1, 2}
    assert routers.look(0, 2) == {0, 2}
    assert routers.gone == [(1, {0, 2})], "when others are in its place"
    assert routers.edge.dispatcher.ways[1] == NO_WAY
    assert routers.edge.dispatcher.ways[2] == 2
    assert "router.1 is away: the calls go to the other routers" in routers.in_service.notes()


def test_one_that_is_silent_is_away_although_its_link_is_up(path: Path) -> None:
    routers = Routers(path)
    routers.look(0, 1, 2)
    assert routers.look(1, 2, times=AWAY - 1) == {0, 1, 2}
    assert routers.look(1, 2) == {1, 2}


def test_one_of_this_host_is_waited_for(path: Path) -> None:
    """Its parent starts it again, and it takes over its calls."""
    routers = Routers(path, here=(0, 1, 2))
    routers.look(0, 1, 2)
    routers.down.add(0)
    assert routers.look(1, 2, times=AWAY_HERE - 1) == {0, 1, 2}
    assert routers.look(1, 2) == {1, 2}


def test_one_that_is_back_gets_calls_again(path: Path) -> None:
    routers = Routers(path)
    routers.look(0, 1, 2)
    assert routers.look(0, 2, times=AWAY + 2) == {0, 2}
    assert routers.look(0, 1, 2, times=STEADY - 1) == {0, 2}
    assert routers.look(0, 1, 2, times=2) == {0, 1, 2}
    assert routers.edge.dispatcher.ways[1] == 1
    assert routers.in_service.stats() == {"routers_away": 0, "router_changes": 2}
    routers.look(0, 1, 2, times=5)
    assert routers.in_service.notes() == []


def test_one_that_beats_but_cannot_be_reached_is_not_back(path: Path) -> None:
    routers = Routers(path)
    routers.look(0, 1, 2)
    routers.down.add(1)
    assert routers.look(0, 2, times=2) == {0, 2}
    assert routers.look(0, 1, 2, times=9) == {0, 2}
    routers.down.clear()
    assert routers.look(0, 1, 2, times=2) == {0, 1, 2}


def test_one_that_is_not_ready_does_not_come_back_and_does_not_go(path: Path) -> None:
    routers = Routers(path)
    assert routers.look(0, 1, 2, times=20, unready=(0, 1, 2)) == {0, 1, 2}
    assert routers.look(0, 2, times=AWAY) == {0, 2}
    assert routers.look(0, 1, 2, times=9, unready=(1,)) == {0, 2}
    assert routers.look(0, 1, 2, times=STEADY + 1) == {0, 1, 2}


def test_one_that_is_drained_takes_no_new_calls_until_it_is_no_more(path: Path) -> None:
    routers = Routers(path)
    routers.look(0, 1, 2)
    routers.look(0, 1, 2, drained=(2,))
    assert routers.look(0, 1, 2, drained=(2,)) == {0, 1}
    assert routers.edge.dispatcher.ways[2] == 2, "its responses go there"
    assert "router.2 is drained: new calls go to the other routers" in routers.in_service.notes()
    routers.look(0, 1, 2)
    assert routers.look(0, 1, 2) == {0, 1, 2}


def test_if_all_others_are_drained_or_away_the_rest_take_the_calls(path: Path) -> None:
    routers = Routers(path, 2)
    routers.look(0, 1)
    assert routers.look(0, 1, times=3, drained=(0, 1)) == {0, 1}
    routers.look(0, 1, times=3, drained=(1,))
    assert routers.look(1, times=9, drained=(1,)) == {1}
    assert routers.look(times=20) == {1}, "nobody is there: messages wait for who was there last"
    assert routers.gone == [(0, {1})]


def test_a_new_one_gets_calls_when_it_beats(path: Path) -> None:
    Routers(path, 1)
    routers = Routers(path, 2)
    assert routers.look(0, times=40) == {0}
    assert routers.look(0, 1, times=STEADY + 1) == {0, 1}


def test_one_of_an_older_version_does_not_beat(path: Path) -> None:
    routers = Routers(path, here=(2,))
    assert routers.look(0, times=40) == {0, 1, 2}
    routers.down.update((1, 2))
    assert routers.look(0, times=2) == {0, 2}
    assert routers.look(0, times=AWAY_HERE) == {0}


def test_those_that_leave_are_led_until_they_hold_nothing(path: Path) -> None:
    routers = Routers(path, 2)
    routers.look(0, 1)
    routers.in_service.lead([2], routers.edge.now)
    assert routers.edge.dispatcher.ways[2] == 2
    assert routers.look(0, 1, 2) == {0, 1}
    routers.look(0, 1, times=4)
    assert routers.edge.dispatcher.ways[2] == NO_WAY
    assert not routers.in_service.hear(2, False, True)
    routers.in_service.close()


def test_a_link_that_all_depend_on_is_cut_and_mended(path: Path) -> None:
    """Their last beats and their first ones come between different looks: nobody is taken for dead."""
    routers = Routers(path)
    routers.look(0, 1, 2)
    routers.look(1, 2)
    routers.look(2)
    routers.down.update((0, 1, 2))
    assert routers.look(times=40) == {0, 1, 2}
    routers.down.clear()
    routers.look(0)
    routers.look(0, 1)
    assert routers.look(0, 1, 2, times=9) == {0, 1, 2}
    assert (routers.gone, routers.in_service.changes) == ([], 0)


def test_one_that_has_a_standby_router_is_away_when_its_calls_are_there(path: Path) -> None:
    routers = Routers(path, standbys={0: 1})
    routers.look(0, 1, 2)
    routers.down.add(0)
    assert routers.look(1, 2, times=AWAY) == {0, 1, 2}
    assert routers.in_service.heir(0) is None
    routers.in_service.lead_to_heirs({0: 1}, routers.edge.now)
    assert routers.routers == {1, 2}
    assert routers.gone == [(0, {1, 2})]
    assert routers.in_service.heir(0) == 1
    assert routers.edge.dispatcher.ways[0] == 1
    routers.down.clear()
    assert routers.look(0, 1, 2, times=5) == {1, 2}
    routers.in_service.lead_to_heirs({0: 2}, routers.edge.now)
    assert routers.edge.dispatcher.ways[0] == 2
    routers.in_service.lead_to_heirs({}, routers.edge.now)
    assert routers.edge.dispatcher.ways[0] == 0
    assert routers.look(0, 1, 2, times=2) == {0, 1, 2}


def test_if_nobody_takes_its_calls_over_it_is_away_in_the_end(path: Path) -> None:
    routers = Routers(path, standbys={0: 1})
    routers.look(0, 1, 2)
    assert routers.look(1, 2, times=PATIENCE * AWAY - 1) == {0, 1, 2}
    assert routers.look(1, 2) == {1, 2}
    assert routers.edge.dispatcher.ways[0] == NO_WAY


def test_if_its_standby_router_is_away_too_it_is_away_like_any_other(path: Path) -> None:
    routers = Routers(path, standbys={0: 1})
    routers.look(0, 1, 2)
    assert routers.look(2, times=AWAY - 1) == {0, 1, 2}
    assert routers.look(2) == {2}
