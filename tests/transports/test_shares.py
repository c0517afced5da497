"""Who has to give way."""

from switchboard.transports.shares import Shares


def test_the_oldest_of_a_source_gives_way_to_its_next() -> None:
    shares: Shares[int] = Shares(10, 2)
    assert [shares.begin(one, "a") for one in range(2)] == [None, None]
    assert shares.begin(2, "b") is None
    assert shares.begin(3, "a") == 0
    assert list(shares) == [1, 2, 3]
    assert 0 not in shares


def test_the_oldest_of_all_gives_way_where_all_are_too_many() -> None:
    shares: Shares[int] = Shares(3, 2)
    for one, source in enumerate("abc"):
        assert shares.begin(one, source) is None
    assert [shares.begin(3, "d"), shares.begin(4, "e")] == [0, 1]
    assert len(shares) == 3


def test_who_has_ended_takes_no_room() -> None:
    shares: Shares[int] = Shares(3, 1)
    shares.begin(0, "a")
    shares.end(0)
    shares.end(0)
    assert shares.begin(1, "a") is None


def test_who_is_at_it_no_more_is_forgotten_where_room_is_needed() -> None:
    busy = {0, 2}
    shares = Shares[int](10, 3, busy.__contains__)
    for one in range(3):
        shares.begin(one, "a")
    assert shares.begin(3, "a") is None
    assert list(shares) == [0, 2, 3]
    busy.add(3)
    assert shares.begin(4, "a") == 0
