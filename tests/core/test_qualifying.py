"""OPTIONS to registered phones: paced, unsaved, and judged by any final response."""

import gc

import pytest
from playbook import HOST, LENKA, Board, response

from switchboard.core.probing import PATIENCE_S, Probe
from switchboard.core.qualifying import LOOK_AGAIN_S, Qualifier, share_of
from switchboard.core.targets import PROBE_CALL_ID

PERIOD_S = 60.0


def alone() -> Board:
    """A board that neither crashes nor is compared: what is asked is not kept."""
    board = Board(fragile=False)
    board.twin = None
    return board


def ask(board: Board) -> Qualifier:
    qualifier = Qualifier(board.core.proxy.env, PERIOD_S, board.replica.users)
    board.core.proxy.qualifier = qualifier
    return qualifier


@pytest.fixture
def board() -> Board:
    board = alone()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    return board


def test_a_phone_that_answers(board: Board) -> None:
    qualifier = ask(board)
    board.advance(0.1)
    (sent,) = board.sent()
    assert (sent.to, sent.message.method, sent.message.uri) == (LENKA, "OPTIONS", "sip:lenka@10.0.0.12:5060")
    assert sent.message.call_id.startswith(PROBE_CALL_ID)
    assert sent.message.via.host == HOST
    board.advance(0.2)
    board.receive(response(sent.message, 404), LENKA)
    reach = qualifier.reaches["lenka"]["sip:lenka@10.0.0.12:5060"]
    assert reach.latency_s == pytest.approx(0.2, abs=0.15)
    assert reach.silent == 0
    assert reach.answered_at
    assert not board.answers()
    assert not board.events


def test_nothing_of_it_is_saved(board: Board) -> None:
    ask(board)
    board.advance(0.1)
    assert board.sent()
    assert not list(board.log)


def test_a_phone_that_does_not_answer_gets_few_copies(board: Board) -> None:
    qualifier = ask(board)
    board.advance(PATIENCE_S + 1)
    assert len(board.sent()) == 4
    ((user, contact, reach),) = qualifier.silent
    assert (user, contact, reach.silent) == ("lenka", "sip:lenka@10.0.0.12:5060", 1)
    board.advance(PERIOD_S)
    assert len(board.sent()) == 4
    board.advance(PATIENCE_S)
    assert reach.silent == 2


def test_nothing_is_left_of_it(board: Board) -> None:
    """Nor a circle of objects, which the collector would find late."""
    ask(board)
    gc.collect()
    gc.disable()
    try:
        before = _probes()
        board.advance(0.1)
        (sent,) = board.sent()
        assert _probes() == before + 1
        board.receive(response(sent.message, 200), LENKA)
        board.advance(PATIENCE_S + 2)
        assert _probes() == before
    finally:
        gc.enable()


def _probes() -> int:
    return sum(isinstance(each, Probe) for each in gc.get_objects())


def test_an_answer_to_a_second_copy_counts_once(board: Board) -> None:
    qualifier = ask(board)
    board.advance(1)
    sent = board.sent()[0]
    for _ in range(2):
        board.receive(response(sent.message, 200), LENKA)
    assert not qualifier.silent
    assert board.core.stats()["responses_absorbed"] == 1
    board.advance(PATIENCE_S)
    assert not board.sent()


def test_a_closed_port_is_known_at_once(board: Board) -> None:
    qualifier = ask(board)
    board.advance(0.1)
    board.lose(board.sent()[0])
    assert [user for user, _, _ in qualifier.silent] == ["lenka"]
    board.advance(PATIENCE_S)
    assert not board.sent()


def test_who_has_gone_is_forgotten(board: Board) -> None:
    qualifier = ask(board)
    board.advance(PATIENCE_S + 1)
    board.bind("lenka")
    board.advance(2 * PERIOD_S)
    assert qualifier.reaches == {}


def test_who_comes_is_asked_soon() -> None:
    board = alone()
    ask(board)
    board.advance(1)
    assert not board.sent()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.advance(LOOK_AGAIN_S)
    assert board.sent()


def test_many_bindings_make_no_burst() -> None:
    """Ten thousand in a minute: 167 a second, evenly."""
    board = alone()
    for number in range(2000):
        board.bind(f"user{number}", f"sip:user{number}@10.1.{number // 250}.{number % 250 + 1}:5060")
    qualifier = Qualifier(board.core.proxy.env, 12.0, board.replica.users)
    board.core.proxy.qualifier = qualifier
    counts = []
    for _ in range(11):
        before = qualifier.asked
        board.advance(1.0)
        counts.append(qualifier.asked - before)
    assert max(counts) <= 190
    assert min(counts) >= 150


def test_contacts_of_other_schemes_and_our_own_are_not_asked() -> None:
    board = alone()
    board.bind("lenka", "tel:+421", f"sip:lukas@{HOST}:5060")
    qualifier = ask(board)
    board.advance(2)
    assert not board.sent()
    assert qualifier.asked == 0


def test_each_user_is_asked_by_one_router() -> None:
    users = [f"user{number}" for number in range(100)]
    shares = [share_of(users, router, 3) for router in range(3)]
    assert sorted(user for share in shares for user in share) == sorted(users)
    assert all(len(share) > 10 for share in shares)
