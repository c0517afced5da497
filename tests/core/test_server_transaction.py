"""Server transactions: RFC 3261 figures 7 and 8, RFC 6026 §7.1, RFC 4320 §4."""

import pytest
from core.bench import FLOW, READER, Bench

from switchboard.core.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerState,
    ServerTransaction,
)
from switchboard.sip.flow import TCP

TRYING, PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED = ServerState
RESPONSES = {"100": 100, "180": 180, "183": 183, "200": 200, "202": 202, "302": 302, "486": 486, "603": 603}
INVITE_PATHS = {
    PROCEEDING: ["180"],
    ACCEPTED: ["200"],
    COMPLETED: ["180", "486"],
    CONFIRMED: ["180", "486", "ACK"],
}
OTHER_PATHS: dict[ServerState, list[str]] = {TRYING: [], PROCEEDING: ["100"], COMPLETED: ["486"]}


def tell(transaction: ServerTransaction, event: str, bench: Bench) -> bool | None:
    """Let `event` happen: a request, an ACK, or a response of the user, which is its code in bytes."""
    with bench.effects() as effects:
        if event == "request":
            transaction.repeat(effects)
        elif event == "ACK":
            assert isinstance(transaction, InviteServerTransaction)
            return transaction.acknowledge(effects)
        elif event in RESPONSES:
            transaction.respond(RESPONSES[event], event.encode(), effects)
        else:
            transaction.fire(event, effects)
    return None


def invite_in(state: ServerState, bench: Bench) -> InviteServerTransaction:
    transaction = InviteServerTransaction(("k",), FLOW, READER, bench.timers, bench.values)
    for event in INVITE_PATHS[state]:
        tell(transaction, event, bench)
    bench.taken()
    assert transaction.state == state
    return transaction


def other_in(state: ServerState, bench: Bench) -> NonInviteServerTransaction:
    transaction = NonInviteServerTransaction(("k",), FLOW, READER, bench.timers, bench.values)
    for event in OTHER_PATHS[state]:
        tell(transaction, event, bench)
    bench.taken()
    assert transaction.state == state
    return transaction


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("state", "event", "after", "sent"),
    [
        (PROCEEDING, "request", PROCEEDING, ["180"]),
        (PROCEEDING, "100", PROCEEDING, ["100"]),
        (PROCEEDING, "183", PROCEEDING, ["183"]),
        (PROCEEDING, "200", ACCEPTED, ["200"]),
        (PROCEEDING, "202", ACCEPTED, ["202"]),
        (PROCEEDING, "302", COMPLETED, ["302"]),
        (PROCEEDING, "486", COMPLETED, ["486"]),
        (PROCEEDING, "603", COMPLETED, ["603"]),
        (PROCEEDING, "ACK", PROCEEDING, []),
        (COMPLETED, "request", COMPLETED, ["486"]),
        (COMPLETED, "180", COMPLETED, []),
        (COMPLETED, "200", COMPLETED, []),
        (COMPLETED, "603", COMPLETED, []),
        (COMPLETED, "ACK", CONFIRMED, []),
        (COMPLETED, "G", COMPLETED, ["486"]),
        (COMPLETED, "H", TERMINATED, []),
        (CONFIRMED, "request", CONFIRMED, []),
        (CONFIRMED, "180", CONFIRMED, []),
        (CONFIRMED, "200", CONFIRMED, []),
        (CONFIRMED, "486", CONFIRMED, []),
        (CONFIRMED, "ACK", CONFIRMED, []),
        (CONFIRMED, "I", TERMINATED, []),
        (ACCEPTED, "request", ACCEPTED, []),
        (ACCEPTED, "180", ACCEPTED, []),
        (ACCEPTED, "200", ACCEPTED, ["200"]),
        (ACCEPTED, "486", ACCEPTED, []),
        (ACCEPTED, "ACK", ACCEPTED, []),
        (ACCEPTED, "L", TERMINATED, []),
    ],
)
def test_invite(bench: Bench, state: ServerState, event: str, after: ServerState, sent: list[str]) -> None:
    """Figure 7 with RFC 6026's ACCEPTED."""
    transaction = invite_in(state, bench)
    tell(transaction, event, bench)
    assert transaction.state == after
    assert bench.taken() == [code.encode() for code in sent]


@pytest.mark.parametrize(
    ("state", "armed"),
    [
        (PROCEEDING, {}),
        (COMPLETED, {"G": 0.5, "H": 32.0}),
        (CONFIRMED, {"I": 5.0}),
        (ACCEPTED, {"L": 32.0}),
    ],
)
def test_timers_of_invite(bench: Bench, state: ServerState, armed: dict[str, float]) -> None:
    transaction = invite_in(state, bench)
    assert transaction.armed == armed
    bench.advance(max(armed.values(), default=0.0) - 0.125)
    assert transaction.state == state
    bench.advance(0.125)
    assert transaction.state == (TERMINATED if armed else state)
    assert bench.timers.next_deadline() is None


@pytest.mark.parametrize(
    ("state", "is_ours"), [(PROCEEDING, True), (COMPLETED, True), (CONFIRMED, True), (ACCEPTED, False)]
)
def test_whose_ack(bench: Bench, state: ServerState, is_ours: bool) -> None:
    """The ACK for a 2xx is another transaction's (§13.2.2.4): RFC 6026 passes it to the user."""
    assert tell(invite_in(state, bench), "ACK", bench) is is_ours


def test_invite_without_response_absorbs_retransmissions(bench: Bench) -> None:
    transaction = InviteServerTransaction(("k",), FLOW, READER, bench.timers, bench.values)
    tell(transaction, "request", bench)
    assert bench.taken() == []


def test_timer_g_repeats_until_h(bench: Bench) -> None:
    """§17.2.1: T1, doubled up to T2, for 64*T1."""
    invite_in(COMPLETED, bench)
    bench.advance(100)
    assert bench.instants() == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_a_refusal_that_nothing_preceded_is_sent_once_for_each_request(bench: Bench) -> None:
    """Who has heard nothing repeats the INVITE; a forged source hears no more than was forged."""
    transaction = InviteServerTransaction(("k",), FLOW, READER, bench.timers, bench.values)
    tell(transaction, "486", bench)
    bench.advance(31)
    assert bench.taken() == [b"486"]
    tell(transaction, "request", bench)
    assert bench.taken() == [b"486"]
    bench.advance(1)
    assert transaction.state == TERMINATED


def test_ack_stops_timer_g(bench: Bench) -> None:
    transaction = invite_in(COMPLETED, bench)
    bench.advance(2)
    bench.taken()
    tell(transaction, "ACK", bench)
    bench.advance(4.9)
    tell(transaction, "request", bench)
    assert bench.taken() == []
    assert transaction.state == CONFIRMED
    bench.advance(0.1)
    assert transaction.state == TERMINATED


@pytest.mark.parametrize(
    ("state", "event", "after", "sent"),
    [
        (TRYING, "request", TRYING, []),
        (TRYING, "100", PROCEEDING, ["100"]),
        (TRYING, "200", COMPLETED, ["200"]),
        (TRYING, "486", COMPLETED, ["486"]),
        (TRYING, "J", TERMINATED, []),
        (PROCEEDING, "request", PROCEEDING, ["100"]),
        (PROCEEDING, "100", PROCEEDING, ["100"]),
        (PROCEEDING, "200", COMPLETED, ["200"]),
        (PROCEEDING, "603", COMPLETED, ["603"]),
        (PROCEEDING, "J", TERMINATED, []),
        (COMPLETED, "request", COMPLETED, ["486"]),
        (COMPLETED, "100", COMPLETED, []),
        (COMPLETED, "200", COMPLETED, []),
        (COMPLETED, "486", COMPLETED, []),
        (COMPLETED, "J", TERMINATED, []),
    ],
)
def test_non_invite(
    bench: Bench, state: ServerState, event: str, after: ServerState, sent: list[str]
) -> None:
    """Figure 8."""
    transaction = other_in(state, bench)
    tell(transaction, event, bench)
    assert transaction.state == after
    assert bench.taken() == [code.encode() for code in sent]


@pytest.mark.parametrize(("state", "armed"), [(TRYING, {}), (PROCEEDING, {}), (COMPLETED, {"J": 32.0})])
def test_timers_of_non_invite(bench: Bench, state: ServerState, armed: dict[str, float]) -> None:
    transaction = other_in(state, bench)
    assert transaction.armed == armed
    bench.advance(32.0)
    assert transaction.state == (TERMINATED if armed else state)


def expecting(bench: Bench) -> NonInviteServerTransaction:
    transaction = other_in(TRYING, bench)
    with bench.effects() as effects:
        transaction.expect(b"100", effects)
    return transaction


def test_trying_as_the_client_slows_down(bench: Bench) -> None:
    """RFC 4320 §4.1: no 100 before timer E has reached T2, then one, and again for each retransmission."""
    transaction = expecting(bench)
    bench.advance(3.375)
    tell(transaction, "request", bench)
    assert bench.sent == []
    bench.advance(0.125)
    assert bench.taken() == [b"100"]
    assert transaction.state == PROCEEDING
    bench.advance(4)
    tell(transaction, "request", bench)
    assert bench.taken() == [b"100"]


@pytest.mark.parametrize("after", [0.0, 1.0, 3.375])
def test_no_trying_behind_a_final_response(bench: Bench, after: float) -> None:
    transaction = expecting(bench)
    bench.advance(after)
    tell(transaction, "200", bench)
    bench.advance(31.875)
    assert bench.taken() == [b"200"]
    assert transaction.state == COMPLETED
    bench.advance(0.125)
    assert transaction.state == TERMINATED


def test_late_final_response_is_absorbed_for_its_time(bench: Bench) -> None:
    """Timer J starts anew with the response."""
    transaction = expecting(bench)
    bench.advance(31)
    tell(transaction, "200", bench)
    bench.advance(31.875)
    tell(transaction, "request", bench)
    assert bench.taken() == [b"100", b"200", b"200"]
    bench.advance(0.125)
    assert transaction.state == TERMINATED


def test_request_without_an_answer_is_forgotten(bench: Bench) -> None:
    """RFC 4320 §4.2: no 408; the transaction ends in silence."""
    transaction = expecting(bench)
    bench.advance(63.875)
    assert transaction.state == PROCEEDING
    bench.advance(0.125)
    assert transaction.state == TERMINATED
    assert bench.taken() == [b"100"]
    assert bench.timers.next_deadline() is None


@pytest.mark.parametrize(
    ("event", "is_finished"), [("100", False), ("180", False), ("200", True), ("302", True), ("486", True)]
)
def test_is_finished(bench: Bench, event: str, is_finished: bool) -> None:
    for transaction in (invite_in(PROCEEDING, bench), other_in(TRYING, bench)):
        tell(transaction, event, bench)
        assert transaction.is_finished is is_finished


def test_its_age_is_known_until_its_final_response(bench: Bench) -> None:
    transaction = expecting(bench)
    began = bench.now
    for wait_s in (0.0, 12.0, 20.0):
        bench.advance(wait_s)
        assert transaction.age_s(bench.now) == pytest.approx(bench.now - began)
    tell(transaction, "200", bench)
    assert transaction.age_s(bench.now + 1) == 0.0
    assert invite_in(PROCEEDING, bench).age_s(bench.now + 1) == 0.0


class TestReliable:
    """§17.2.1, §17.2.2: no timer G. J is T4, for a connection may hand on a request twice if its process died."""

    def test_a_failure_is_not_repeated(self, bench: Bench) -> None:
        flow = FLOW._replace(transport=TCP)
        transaction = InviteServerTransaction(("k",), flow, READER, bench.timers, bench.values)
        tell(transaction, "180", bench)
        tell(transaction, "486", bench)
        assert transaction.armed == {"H": bench.now + bench.values.lifetime}
        assert tell(transaction, "ACK", bench)
        assert transaction.armed == {"I": bench.now + bench.values.t4}

    def test_an_answer_is_kept_for_a_while(self, bench: Bench) -> None:
        flow = FLOW._replace(transport=TCP)
        transaction = NonInviteServerTransaction(("k",), flow, READER, bench.timers, bench.values)
        tell(transaction, "200", bench)
        assert transaction.armed == {"J": bench.now + bench.values.t4}
