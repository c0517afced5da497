from switchboard.journal.deliveries import LIVES, PATIENCE_S, Deliveries, Router

ROUTER = Router(0, "first")


def accepted(deliveries: Deliveries, *numbers: int, now: float = 0.0, router: Router = ROUTER) -> list[int]:
    return [number for number in numbers if deliveries.accept(router, number, now)]


def test_each_number_once_and_in_order() -> None:
    deliveries = Deliveries()
    assert accepted(deliveries, 1, 2, 2, 1, 3) == [1, 2, 3]
    assert deliveries.repeated == 2
    assert deliveries.last(ROUTER) == 3
    assert (deliveries.have_changed(), deliveries.have_changed()) == (True, False)
    deliveries.advance(ROUTER, 4)
    assert deliveries.have_changed()
    assert deliveries.numbers == {ROUTER: 7}


def test_a_router_never_heard_of_starts_with_1() -> None:
    deliveries = Deliveries()
    assert deliveries.last(ROUTER) is None
    assert accepted(deliveries, 40, 41) == []
    assert deliveries.last(ROUTER) == 0
    assert accepted(deliveries, 1, 2, now=1.0) == [1, 2]
    assert accepted(deliveries, 0, 1, router=Router(1, "from 0")) == [0, 1]


def test_of_a_router_whose_numbers_were_forgotten_the_unacknowledged_ones_are_taken() -> None:
    deliveries = Deliveries()
    accepted(deliveries, 40, 41)
    assert accepted(deliveries, 40, 41, now=PATIENCE_S) == [40, 41]
    assert deliveries.missed == 39


def test_what_follows_a_gap_is_refused_until_it_is_filled() -> None:
    deliveries = Deliveries()
    deliveries.restore({ROUTER: 9})
    assert accepted(deliveries, 12, 13) == []
    assert deliveries.last(ROUTER) == 9
    assert accepted(deliveries, 10, 11, 12, 13, now=PATIENCE_S) == [10, 11, 12, 13]
    assert (deliveries.refused, deliveries.missed) == (2, 0)


def test_a_gap_that_nobody_fills_is_a_loss() -> None:
    deliveries = Deliveries()
    deliveries.restore({ROUTER: 9})
    assert accepted(deliveries, 12, now=100.0) == []
    assert accepted(deliveries, 12, now=100.0 + PATIENCE_S - 0.1) == []
    assert accepted(deliveries, 12, 13, now=100.0 + PATIENCE_S) == [12, 13]
    assert deliveries.missed == 2
    assert accepted(deliveries, 15, now=200.0) == []


def test_routers_and_lives_are_counted_apart() -> None:
    deliveries = Deliveries()
    again, other = Router(0, "second"), Router(1, "first")
    for router in (ROUTER, again, other):
        assert accepted(deliveries, 1, 2, router=router) == [1, 2]


def test_old_lives_are_forgotten() -> None:
    deliveries = Deliveries()
    lives = [Router(0, str(n)) for n in range(LIVES + 2)]
    other = Router(1, "x")
    for router in (other, *lives):
        deliveries.accept(router, 1, 0.0)
    assert deliveries.numbers == dict.fromkeys((other, *lives[2:]), 1)
