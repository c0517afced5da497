"""Client transactions: RFC 3261 figures 5 and 6, RFC 6026 §7.2."""

import pytest
from core.bench import FLOW, Bench
from playbook import request

from switchboard.core.client_transaction import (
    ClientState,
    ClientTransaction,
    InviteClientTransaction,
    NonInviteClientTransaction,
)
from switchboard.sip.flow import TCP
from switchboard.sip.message import Message, parse_message

TRYING, PROCEEDING, COMPLETED, ACCEPTED, TERMINATED = ClientState
BRANCH = "z9hG4bKsb0.t1.x"
INVITE = request("INVITE", "sip:b@h", branch=BRANCH, lines=("Route: <sip:r;lr>",))
INFO = request("INFO", "sip:b@h", branch=BRANCH)
PATHS: dict[ClientState, list[int]] = {TRYING: [], PROCEEDING: [180], COMPLETED: [486], ACCEPTED: [200]}


def response(status: int, tag: str = "t") -> Message:
    fields = f"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag={tag}\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    return parse_message(f"SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP h;branch={BRANCH}\r\n{fields}".encode())


def start(kind: type[ClientTransaction], raw: bytes, bench: Bench) -> ClientTransaction:
    transaction = kind((BRANCH, "INVITE"), FLOW, raw, bench.timers, bench.values, user="branch")
    with bench.effects() as effects:
        transaction.start(effects)
    return transaction


def tell(transaction: ClientTransaction, event: int | str, bench: Bench) -> bool:
    """Let a response come, or a timer fire; return whether the user is told."""
    with bench.effects() as effects:
        if isinstance(event, int):
            return transaction.receive(response(event), effects)
        return transaction.fire(event, effects)


def in_state(
    kind: type[ClientTransaction], raw: bytes, state: ClientState, bench: Bench
) -> ClientTransaction:
    transaction = start(kind, raw, bench)
    for status in PATHS[state]:
        tell(transaction, status, bench)
    bench.taken()
    assert transaction.state == state
    return transaction


def kinds(sent: list[bytes]) -> list[str]:
    return [raw.split(b" ", 1)[0].decode() for raw in sent]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("state", "event", "after", "told", "sent"),
    [
        (TRYING, 100, PROCEEDING, True, []),
        (TRYING, 200, ACCEPTED, True, []),
        (TRYING, 302, COMPLETED, True, ["ACK"]),
        (TRYING, 486, COMPLETED, True, ["ACK"]),
        (TRYING, 603, COMPLETED, True, ["ACK"]),
        (TRYING, "A", TRYING, False, ["INVITE"]),
        (TRYING, "B", TERMINATED, True, []),
        (PROCEEDING, 100, PROCEEDING, True, []),
        (PROCEEDING, 183, PROCEEDING, True, []),
        (PROCEEDING, 200, ACCEPTED, True, []),
        (PROCEEDING, 487, COMPLETED, True, ["ACK"]),
        (COMPLETED, 180, COMPLETED, False, []),
        (COMPLETED, 200, COMPLETED, False, []),
        (COMPLETED, 486, COMPLETED, False, ["ACK"]),
        (COMPLETED, 603, COMPLETED, False, ["ACK"]),
        (COMPLETED, "D", TERMINATED, False, []),
        (ACCEPTED, 180, ACCEPTED, False, []),
        (ACCEPTED, 200, ACCEPTED, True, []),
        (ACCEPTED, 202, ACCEPTED, True, []),
        (ACCEPTED, 486, ACCEPTED, False, []),
        (ACCEPTED, "M", TERMINATED, False, []),
    ],
)
def test_invite(
    bench: Bench, state: ClientState, event: int | str, after: ClientState, told: bool, sent: list[str]
) -> None:
    """Figure 5 with RFC 6026's ACCEPTED; TRYING is CALLING."""
    transaction = in_state(InviteClientTransaction, INVITE, state, bench)
    assert tell(transaction, event, bench) is told
    assert transaction.state == after
    assert kinds(bench.taken()) == sent


@pytest.mark.parametrize("kind", [InviteClientTransaction, NonInviteClientTransaction])
@pytest.mark.parametrize("state", [TRYING, PROCEEDING, COMPLETED])
def test_a_request_that_is_lost(kind: type[ClientTransaction], state: ClientState, bench: Bench) -> None:
    """§17.1.4, §18.4: it ends, quietly, but not once that anybody has answered it."""
    transaction = in_state(kind, INVITE if kind is InviteClientTransaction else INFO, state, bench)
    armed = dict(transaction.armed)
    with bench.effects() as effects:
        assert transaction.fail(effects) is (state is TRYING)
        assert list(effects.touched) == ([transaction] if state is TRYING else [])
    assert transaction.state == (TERMINATED if state is TRYING else state)
    assert transaction.armed == ({} if state is TRYING else armed)
    assert not bench.taken()


def test_an_accepted_invite_is_not_lost(bench: Bench) -> None:
    transaction = in_state(InviteClientTransaction, INVITE, ACCEPTED, bench)
    with bench.effects() as effects:
        assert not transaction.fail(effects)
    assert transaction.state == ACCEPTED


@pytest.mark.parametrize(
    ("state", "armed"),
    [
        (TRYING, {"A": 0.5, "B": 32.0}),
        (PROCEEDING, {}),
        (COMPLETED, {"D": 32.0}),
        (ACCEPTED, {"M": 32.0}),
    ],
)
def test_timers_of_invite(bench: Bench, state: ClientState, armed: dict[str, float]) -> None:
    """Nothing bounds PROCEEDING: timer C is the proxy's (§16.8)."""
    transaction = in_state(InviteClientTransaction, INVITE, state, bench)
    assert transaction.armed == armed
    bench.advance(31.875)
    assert transaction.state == state
    bench.advance(0.125)
    assert transaction.state == (TERMINATED if armed else state)
    assert bench.timers.next_deadline() is None


def test_invite_is_repeated_until_timer_b(bench: Bench) -> None:
    """§17.1.1.2: T1 doubled without bound; at 64*T1 the user hears of the time-out."""
    start(InviteClientTransaction, INVITE, bench)
    bench.advance(100)
    assert bench.instants() == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.timed_out == [32.0]


@pytest.mark.parametrize("status", [100, 200, 486])
def test_response_ends_the_repetitions(bench: Bench, status: int) -> None:
    transaction = start(InviteClientTransaction, INVITE, bench)
    bench.advance(1)
    bench.taken()
    tell(transaction, status, bench)
    bench.advance(100)
    assert "INVITE" not in kinds(bench.taken())
    assert bench.timed_out == []


def test_ack(bench: Bench) -> None:
    """§17.1.1.3: to the same hop, on the same branch and route, with the To of the response; each time."""
    transaction = in_state(InviteClientTransaction, INVITE, PROCEEDING, bench)
    with bench.effects() as effects:
        for tag in ("first", "second"):
            transaction.receive(response(486, tag), effects)
    first, second = map(parse_message, bench.taken())
    assert (first.method, first.uri, first.cseq) == ("ACK", "sip:b@h", (1, "ACK"))
    assert first.values("via") == parse_message(INVITE).values("via")
    assert first.values("route") == ["<sip:r;lr>"]
    assert (first.to_tag, second.to_tag) == ("first", "second")


@pytest.mark.parametrize(
    ("state", "event", "after", "told", "sent"),
    [
        (TRYING, 100, PROCEEDING, True, []),
        (TRYING, 200, COMPLETED, True, []),
        (TRYING, 486, COMPLETED, True, []),
        (TRYING, "A", TRYING, False, ["INFO"]),
        (TRYING, "B", TERMINATED, True, []),
        (PROCEEDING, 100, PROCEEDING, True, []),
        (PROCEEDING, 200, COMPLETED, True, []),
        (PROCEEDING, 603, COMPLETED, True, []),
        (PROCEEDING, "A", PROCEEDING, False, ["INFO"]),
        (PROCEEDING, "B", TERMINATED, True, []),
        (COMPLETED, 100, COMPLETED, False, []),
        (COMPLETED, 200, COMPLETED, False, []),
        (COMPLETED, 486, COMPLETED, False, []),
        (COMPLETED, "K", TERMINATED, False, []),
    ],
)
def test_non_invite(
    bench: Bench, state: ClientState, event: int | str, after: ClientState, told: bool, sent: list[str]
) -> None:
    """Figure 6."""
    transaction = in_state(NonInviteClientTransaction, INFO, state, bench)
    assert tell(transaction, event, bench) is told
    assert transaction.state == after
    assert kinds(bench.taken()) == sent


def test_non_invite_is_repeated_until_timer_f(bench: Bench) -> None:
    """§17.1.2.2: T1 doubled up to T2."""
    start(NonInviteClientTransaction, INFO, bench)
    bench.advance(100)
    assert bench.instants() == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.timed_out == [32.0]


def test_provisional_response_slows_the_repetitions_down(bench: Bench) -> None:
    """Timer E goes on and is then reset to T2; timer F goes on too."""
    transaction = start(NonInviteClientTransaction, INFO, bench)
    bench.advance(1)
    tell(transaction, 100, bench)
    bench.advance(100)
    assert bench.instants() == [0.0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert bench.timed_out == [32.0]


def test_timer_k(bench: Bench) -> None:
    transaction = in_state(NonInviteClientTransaction, INFO, COMPLETED, bench)
    assert transaction.armed == {"K": 5.0}
    bench.advance(4.875)
    assert transaction.state == COMPLETED
    bench.advance(0.125)
    assert transaction.state == TERMINATED
    assert bench.taken() == []


@pytest.mark.parametrize(
    ("state", "expected"), [(TRYING, False), (PROCEEDING, True), (COMPLETED, False), (ACCEPTED, False)]
)
def test_is_proceeding(bench: Bench, state: ClientState, expected: bool) -> None:
    """The time for a CANCEL (§9.1)."""
    assert in_state(InviteClientTransaction, INVITE, state, bench).is_proceeding is expected


def test_nothing_comes_behind_the_end(bench: Bench) -> None:
    for kind, raw in ((InviteClientTransaction, INVITE), (NonInviteClientTransaction, INFO)):
        transaction = start(kind, raw, bench)
        tell(transaction, "B", bench)
        bench.taken()
        assert [tell(transaction, status, bench) for status in (100, 200, 486)] == [False] * 3
        assert bench.taken() == []


class TestReliable:
    """§17.1.1.2, §17.1.2.2: no timers A and E; K is 0, and D is T4."""

    @pytest.mark.parametrize(
        ("kind", "raw", "state", "letters"),
        [
            (InviteClientTransaction, INVITE, COMPLETED, "D"),
            (NonInviteClientTransaction, INFO, TERMINATED, ""),
        ],
    )
    def test_timers(
        self,
        kind: type[ClientTransaction],
        raw: bytes,
        state: ClientState,
        letters: str,
        bench: Bench,
    ) -> None:
        transaction = kind((BRANCH, "INVITE"), FLOW._replace(transport=TCP), raw, bench.timers, bench.values)
        with bench.effects() as effects:
            transaction.start(effects)
        assert transaction.armed == {"B": bench.now + bench.values.lifetime}
        assert tell(transaction, 486, bench)
        assert transaction.state == state
        assert transaction.armed == dict.fromkeys(letters, bench.now + bench.values.t4)

    def test_a_2xx_may_come_from_several_forks(self, bench: Bench) -> None:
        """Timer M is 64 T1 over any transport (RFC 6026 §8.7)."""
        flow = FLOW._replace(transport=TCP)
        transaction = InviteClientTransaction((BRANCH, "INVITE"), flow, INVITE, bench.timers, bench.values)
        with bench.effects() as effects:
            transaction.start(effects)
        assert tell(transaction, 200, bench)
        assert transaction.state == ACCEPTED
        assert tell(transaction, 200, bench)
