"""Growing pauses."""

from switchboard.supervisor.pauses import Pauses


def test_each_is_twice_the_one_before_up_to_the_longest() -> None:
    pauses = Pauses(0.1, 5.0)
    assert [round(pauses.next_s(), 3) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert pauses.count == 8


def test_reset() -> None:
    pauses = Pauses(2.0, 60.0)
    pauses.next_s()
    pauses.next_s()
    pauses.reset()
    assert (pauses.count, pauses.next_s()) == (0, 2.0)
