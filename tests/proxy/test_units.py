"""Units of state over a restart; that nothing is lost in one is shown by every other test of this floor."""

from playbook import LENKA, LUKAS, Board, request, response

CALLEE = "sip:lenka@10.0.0.1"


def ringing(board: Board) -> None:
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.receive(request("INVITE", CALLEE), LUKAS)


def test_what_is_over_leaves_nothing_behind() -> None:
    board = Board()
    ringing(board)
    assert board.log
    board.advance(300)
    assert not board.log


def test_a_call_that_ended_meanwhile_is_not_sent_again() -> None:
    """The switchboard was off for a minute: the callee is left alone, the caller is told."""
    board = Board()
    ringing(board)
    board.sent()
    board.now += 60
    board.crash()
    board.advance(0.1)
    assert not board.sent()
    assert board.statuses() == [100, 408]


def test_a_busy_signal_that_nobody_waits_for_is_not_sent_again() -> None:
    board = Board()
    ringing(board)
    board.receive(response(board.sent()[0].message, 486), LENKA)
    board.answers()
    board.now += 60
    board.crash()
    board.advance(1)
    assert board.statuses() == []


def test_a_provisional_that_may_not_have_left_is_sent_again() -> None:
    board = Board(fragile=False)
    ringing(board)
    board.receive(response(board.sent()[0].message, 180), LENKA)
    assert board.statuses() == [100, 180]
    assert [again.status for again in board.crash()] == [180]
    board.now += 60
    assert board.crash() == []
