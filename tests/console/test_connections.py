"""Who may stay connected, and who goes."""

import pytest

from switchboard.console.connections import HEAD_S, MOST, MOST_OF_ONE, SPARE, Connections, site_of


class FakeGuest:
    """One that waits, unless it is busy."""

    def __init__(self, site: str, since: float = 0.0, is_known: bool = False, is_busy: bool = False) -> None:
        self.site, self.since, self.is_known, self.is_busy = site, since, is_known, is_busy
        self.is_spare = False
        self.heard: list[str] = []

    def limit_s(self) -> float | None:
        return None if self.is_busy else HEAD_S

    def tell_late(self) -> None:
        self.heard.append("late")

    def drop(self) -> None:
        self.heard.append("dropped")


def admitted(
    connections: Connections, count: int, site: str = "10.0.0.{}", **options: bool
) -> list[FakeGuest]:
    guests = [FakeGuest(site.format(number), float(number), **options) for number in range(count)]
    assert all(connections.admit(each) for each in guests)
    return guests


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_sites(host: str, site: str) -> None:
    assert site_of(host) == site


def test_of_one_address_the_one_that_waits_longest_goes() -> None:
    connections = Connections()
    guests = admitted(connections, MOST_OF_ONE, "10.0.0.1")
    latest = FakeGuest("10.0.0.1", 1000.0)
    assert connections.admit(latest)
    assert [each.heard for each in guests] == [["dropped"], *[[]] * (MOST_OF_ONE - 1)]
    assert not latest.is_spare
    assert connections.stats()["connections.displaced"] == 1


def test_of_all_a_stranger_goes_before_who_has_a_session() -> None:
    connections = Connections()
    known = admitted(connections, MOST - 1, is_known=True)
    stranger = FakeGuest("192.0.2.1", 500.0)
    assert connections.admit(stranger)
    assert connections.admit(FakeGuest("192.0.2.2", 1000.0, is_known=True))
    assert stranger.heard == ["dropped"]
    assert not any(each.heard for each in known)
    assert connections.admit(FakeGuest("192.0.2.3", 1000.0))
    assert known[0].heard == ["dropped"]


def test_who_is_served_stays_and_the_next_gets_a_spare_place() -> None:
    connections = Connections()
    busy = admitted(connections, MOST, is_busy=True)
    spare = [FakeGuest(f"192.0.2.{number}", is_busy=True) for number in range(SPARE)]
    assert all(connections.admit(each) and each.is_spare for each in spare)
    assert not connections.admit(FakeGuest("192.0.2.99"))
    assert not any(each.heard for each in [*busy, *spare])
    assert connections.stats()["connections.refused"] == 1
    connections.leave(spare[0])
    assert connections.admit(FakeGuest("192.0.2.99"))


def test_busy_ones_of_one_address_leave_the_others_their_places() -> None:
    connections = Connections()
    admitted(connections, MOST_OF_ONE, "10.0.0.1", is_busy=True)
    next_one, other = FakeGuest("10.0.0.1"), FakeGuest("10.0.0.2")
    assert connections.admit(next_one)
    assert connections.admit(other)
    assert (next_one.is_spare, other.is_spare) == (True, False)


def test_a_proxy_is_bounded_by_the_number_of_all_only() -> None:
    connections = Connections()
    assert not any(each.heard for each in admitted(connections, MOST, ""))


def test_who_waits_too_long_is_told() -> None:
    connections = Connections()
    early, late = FakeGuest("10.0.0.1", 1.0), FakeGuest("10.0.0.1", 0.0)
    busy = FakeGuest("10.0.0.1", 0.0, is_busy=True)
    assert all(map(connections.admit, (early, late, busy)))
    connections.look(HEAD_S)
    assert (early.heard, late.heard, busy.heard) == ([], ["late"], [])
    assert connections.stats()["connections.late"] == 1
