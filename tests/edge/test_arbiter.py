"""Who is declared dead, and what follows, step by step."""

from pathlib import Path

import pytest

from switchboard.bus import frames
from switchboard.edge.arbiter import TICK_S, Arbiter, Steps, TakenOver, read_taken
from switchboard.edge.terms import (
    Fence,
    Term,
    first_terms,
    label,
    load_terms,
    pack_terms,
    read_terms,
    save_terms,
)

AT = 1_800_000_000.0
AFTER_S = 3.0
SENDERS = ("edge-tx.0", "edge-stream.0")


class Edge:
    """An arbiter with routers 0 and 1, each the standby router of the other one, and 2, whose standby router is 0."""

    def __init__(self) -> None:
        self.now = 0.0
        self.arbiter = Arbiter(first_terms([0, 1, 2]), {0: 1, 1: 0, 2: 0}, SENDERS, AFTER_S, self.now)
        self.alive: dict[int, tuple[int, list[TakenOver]]] = {0: (0, []), 1: (0, []), 2: (0, [])}
        self.steps = Steps()
        self.aware = True

    def go(self, seconds: float) -> None:
        """Let time pass; the steps gather."""
        until = self.now + seconds
        while self.now < until:
            self.now += TICK_S
            for router, (term, taken) in self.alive.items():
                self.arbiter.heard(router, term, taken)
            steps = self.arbiter.tick(self.now, AT + self.now)
            self.steps.take_over += steps.take_over
            self.steps.led += steps.led
            self.steps.lines += steps.lines
            if self.aware:
                for sender in SENDERS:
                    self.arbiter.known(sender, self.arbiter.version)

    def taken(self) -> Steps:
        steps, self.steps = self.steps, Steps()
        return steps


@pytest.fixture
def edge() -> Edge:
    edge = Edge()
    edge.go(2)
    assert edge.taken() == Steps()
    return edge


def test_those_who_give_signs_of_life_keep_their_calls(edge: Edge) -> None:
    edge.go(60)
    assert edge.taken() == Steps()
    assert edge.arbiter.terms == first_terms([0, 1, 2])


def test_a_silent_one_is_fenced_before_another_one_takes_over(edge: Edge) -> None:
    del edge.alive[0]
    edge.aware = False
    edge.go(AFTER_S - TICK_S)
    assert edge.taken() == Steps()
    edge.go(TICK_S)
    term = edge.arbiter.terms[0].term
    assert edge.arbiter.terms[0] == (term, 1)
    assert term >= AT
    assert edge.arbiter.unaware == list(SENDERS)
    edge.go(5)
    assert edge.taken().take_over == []
    edge.aware = True
    edge.go(1)
    steps = edge.taken()
    assert set(steps.take_over) == {(0, 1)}
    assert steps.led == []
    edge.alive[1] = 0, [TakenOver(0, term, True)]
    edge.go(1)
    assert edge.taken().led == [(0, 1)]
    assert edge.arbiter.led == {0: 1}
    assert "router.0" in edge.arbiter.notes()[0]


def test_one_that_is_back_waits_until_nothing_of_it_is_elsewhere(edge: Edge) -> None:
    del edge.alive[0]
    edge.go(AFTER_S + 1)
    term = edge.arbiter.terms[0].term
    edge.alive[1] = 0, [TakenOver(0, term, True)]
    edge.go(1)
    edge.alive[0] = 0, []
    assert edge.arbiter.heard(0, 0, []) == (term, 1)
    edge.go(5)
    edge.taken()
    edge.alive[0] = term, []
    edge.go(5)
    assert edge.taken() == Steps()
    edge.alive[1] = 0, [TakenOver(0, term, False)]
    edge.go(1)
    assert edge.taken().led == [(0, 0)]
    assert edge.arbiter.terms[0] == (term, 0)
    assert edge.arbiter.led == {}


def test_without_a_living_standby_router_nobody_is_declared_dead(edge: Edge) -> None:
    del edge.alive[0], edge.alive[1]
    edge.go(20)
    assert edge.taken().take_over == []
    assert edge.arbiter.terms == first_terms([0, 1, 2])


def test_time_in_which_the_edge_stood_still_is_no_silence(edge: Edge) -> None:
    edge.now += 60
    edge.go(1)
    assert edge.taken() == Steps()


def test_who_dies_with_the_calls_of_another_one_gives_both(edge: Edge) -> None:
    """2 dies, 0 takes its calls over, and dies, too: 1 has all of them."""
    del edge.alive[2]
    edge.go(AFTER_S + 1)
    edge.alive[0] = 0, [TakenOver(2, edge.arbiter.terms[2].term, True)]
    edge.go(1)
    del edge.alive[0]
    edge.go(AFTER_S + 1)
    edge.alive[1] = 0, [TakenOver(0, edge.arbiter.terms[0].term, True)]
    edge.go(1)
    assert edge.arbiter.led == {0: 1, 2: 1}
    assert edge.taken().led == [(2, 0), (0, 1), (2, 1)]
    term = edge.arbiter.terms[2].term
    edge.alive[1] = 0, [TakenOver(0, edge.arbiter.terms[0].term, True), TakenOver(2, -1, True)]
    edge.alive[2] = term, []
    edge.go(2)
    assert edge.arbiter.led == {0: 1, 2: 1}
    edge.alive[1] = 0, [TakenOver(0, edge.arbiter.terms[0].term, True), TakenOver(2, -1, False)]
    edge.go(2)
    assert edge.arbiter.led == {0: 1}


def test_who_takes_its_own_calls_back_with_those_of_its_standby_router_has_them(edge: Edge) -> None:
    """0 dies, is back, and 1, which has its calls, dies."""
    del edge.alive[0]
    edge.go(AFTER_S + 1)
    term = edge.arbiter.terms[0].term
    edge.alive[1] = 0, [TakenOver(0, term, True)]
    edge.go(1)
    edge.alive[0] = term, []
    del edge.alive[1]
    edge.go(AFTER_S + 1)
    edge.alive[0] = term, [TakenOver(1, edge.arbiter.terms[1].term, True)]
    edge.go(1)
    assert edge.arbiter.led == {1: 0}
    assert edge.arbiter.terms[0].holder == 0


def test_an_edge_that_begins_anew_goes_on() -> None:
    terms = {0: Term(7, 1), 1: Term(0, 1)}
    arbiter = Arbiter(terms, {0: 1, 1: 0}, SENDERS, AFTER_S, 0.0)
    assert arbiter.led == {0: 1}
    arbiter.heard(1, 0, [])
    assert arbiter.tick(TICK_S, AT).take_over == []
    for sender in SENDERS:
        arbiter.known(sender, arbiter.version)
    arbiter.known("somebody", 1)
    assert arbiter.tick(2 * TICK_S, AT).take_over == [(0, 1)]


def test_who_is_no_such_router_is_told_nothing(edge: Edge) -> None:
    assert edge.arbiter.heard(9, 0, []) is None


@pytest.mark.parametrize("value", [None, [1], [[1, 2, 3]], [[1, 2, True, 4]]])
def test_what_says_nothing_of_others(value: object) -> None:
    assert read_taken(value) is None


def test_the_terms_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "terms.json"
    assert load_terms(path, [0, 2]) == first_terms([0, 2])
    terms = {0: Term(5, 1), 2: Term(0, 2)}
    save_terms(path, terms)
    assert load_terms(path, [0, 1, 2]) == terms | {1: Term(0, 1)}
    path.write_text("[[")
    assert load_terms(path, [0]) == first_terms([0])


@pytest.mark.parametrize("value", [None, [1], [[1, 2]], [[1, 2, "a"]]])
def test_what_is_no_table_of_terms(value: object) -> None:
    assert read_terms(value) is None
    assert read_terms(pack_terms(first_terms([3]))) == first_terms([3])


def test_what_bears_an_older_term_is_not_sent() -> None:
    fence = Fence({0: Term(5, 0), 1: Term(6, 2)})
    items = frames.pack("sip.send", [[b"flow", b"raw"], [b"flow", b"raw"]])
    rest = items[len(frames.head("sip.send")) :]
    assert fence.pass_on(items) is None
    assert fence.pass_on(frames.pack("sip.taken", ["router.0", 1.0])) is None
    assert fence.pass_on(b"") is None
    assert fence.pass_on(label(0, 5) + rest) == items
    assert fence.pass_on(label(0, 4) + rest) == b""
    assert fence.fenced == 2
    assert fence.pass_on(label(3, 0) + rest) == b""
    fence.take({0: Term(1_800_000_000, 1)})
    assert fence.pass_on(label(0, 5) + rest) == b""
    assert fence.pass_on(label(0, 1_800_000_000) + rest) == items
