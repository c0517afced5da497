"""Which new requests go on; time is advanced by hand."""

from switchboard.core.overload import HOPELESS_S, LATE_S, LEAST_AT_FIRST, SOON_S
from switchboard.core.verdicts import LASTS_S, MOST
from switchboard.edge.admission import Entrance

PEER, OTHER = 0, -1
USER, STRANGER = "10.0.0.11", "10.0.0.99"


def make_entrance() -> Entrance:
    entrance = Entrance(lambda host: host == USER)
    for peer in (PEER, OTHER):
        entrance.overload(peer)
    return entrance


def press(entrance: Entrance, now: float) -> None:
    for past_s in (1.5 * SOON_S, 0.0):
        entrance.overload(PEER).note(HOPELESS_S, now - past_s)


def test_all_may_enter_while_there_is_no_overload() -> None:
    entrance = make_entrance()
    assert all(entrance.admits(PEER, number, STRANGER, 100.0) for number in range(100))


def test_only_the_peer_that_is_overloaded_is_spared() -> None:
    entrance = make_entrance()
    press(entrance, 100.0)
    assert not entrance.admits(PEER, 1, USER, 100.0)
    assert entrance.admits(OTHER, 2, STRANGER, 100.0)


def test_users_enter_when_strangers_do_no_longer() -> None:
    entrance = make_entrance()
    press(entrance, 100.0)
    entrance.overload(PEER).note(LATE_S, 100.1)
    now = 100.0 + 1.5 / LEAST_AT_FIRST
    assert not entrance.admits(PEER, 1, STRANGER, now)
    assert entrance.admits(PEER, 2, USER, now)


def test_what_was_admitted_stays_so_and_what_was_refused_too() -> None:
    entrance = make_entrance()
    assert entrance.admits(PEER, 1, STRANGER, 100.0)
    press(entrance, 101.0)
    assert not entrance.admits(PEER, 2, STRANGER, 101.0)
    assert entrance.admits(PEER, 1, STRANGER, 101.0)
    entrance.overload(PEER).note(0.0, 110.0)  # after so long a silence it is over
    assert not entrance.admits(PEER, 2, STRANGER, 110.0)
    assert not entrance.admits(PEER, 2, STRANGER, 101.0 + LASTS_S - 1)
    assert entrance.admits(PEER, 1, STRANGER, 101.0 + LASTS_S - 1)


def test_verdicts_are_forgotten() -> None:
    entrance = make_entrance()
    press(entrance, 101.0)
    assert not entrance.admits(PEER, 2, STRANGER, 101.0)
    entrance.admits(PEER, 3, STRANGER, 101.0 + LASTS_S)
    entrance.admits(PEER, 4, STRANGER, 101.0 + 2 * LASTS_S)
    assert entrance.admits(PEER, 2, STRANGER, 101.0 + 2 * LASTS_S)


def test_a_bounded_number_is_remembered() -> None:
    entrance = make_entrance()
    press(entrance, 100.0)
    assert not entrance.admits(PEER, 1, STRANGER, 100.0)
    entrance.overload(PEER).note(0.0, 110.0)
    for number in range(2, 2 * MOST + 3):
        entrance.admits(PEER, number, STRANGER, 110.0)
    assert entrance.admits(PEER, 1, STRANGER, 110.0)
