"""Saved transactions over a restart; that nothing is lost in one is shown by every other test of this floor."""

from playbook import LENKA, LUKAS, Board, Sent, request, response

from switchboard.core.commands import Lookup
from switchboard.core.transaction_log import STATE

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


def test_a_callee_that_vanishes_while_it_rings_leaves_nothing_behind() -> None:
    """Neither the INVITE nor its CANCEL gets a final response (§16.8, §9.1)."""
    board = Board()
    ringing(board)
    board.receive(response(board.sent()[0].message, 180), LENKA)
    board.advance(185 + 32 + 33)
    assert board.statuses()[-1] == 408
    assert (counts(board), dict(board.log)) == ((0, 0), {})


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


def sleepers(board: Board) -> int:
    """How many saved transactions are still to be restored."""
    dormant = board.proxy.env.layer.dormant
    return len(dormant) if dormant else 0


def counts(board: Board) -> tuple[int, int]:
    """How many server and client transactions there are."""
    layer = board.proxy.env.layer
    return layer.server_count, layer.client_count


def sent_invite(board: Board) -> Sent:
    ringing(board)
    return board.sent()[0]


def restart(board: Board, after: float = 0.1) -> None:
    """The process is replaced; what leaves from now on is what matters."""
    board.now += after
    board.crash()
    board.sent()
    board.answers()


def test_a_ringing_call_is_restored_at_once() -> None:
    board = Board()
    sent_invite(board)
    restart(board)
    assert sleepers(board) == 0
    assert len(board.proxy.env.layer.servers) == len(board.proxy.env.layer.clients) == 1


def test_a_name_that_is_being_resolved_is_asked_for_again() -> None:
    board = Board(fragile=False)
    board.bind("lenka", "sip:lenka@phone.example")
    board.receive(request("INVITE", CALLEE), LUKAS)
    board.lookups.clear()
    board.crash()
    assert sleepers(board) == 0
    assert list(board.proxy.env.waiting) == [Lookup("phone.example", None)]


def test_a_2xx_that_is_sent_again_is_passed_on() -> None:
    """Its ACK was lost: the callee repeats it, whoever serves now."""
    board = Board()
    there = sent_invite(board)
    answer = response(there.message, 200)
    board.receive(answer, LENKA)
    restart(board)
    assert sleepers(board) == 1
    board.receive(answer, LENKA)
    assert board.statuses() == [200]
    assert board.kinds() == ["invite", "answered"]
    board.receive(request("INVITE", CALLEE), LUKAS)
    assert board.statuses() == []


def test_a_bye_that_is_sent_again_is_answered_again() -> None:
    board = Board()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    bye = request("BYE", CALLEE, to_tag="to-1", cseq=2)
    board.receive(bye, LUKAS)
    board.receive(response(board.sent()[0].message, 200), LENKA)
    first = board.answers()
    restart(board)
    assert sleepers(board) == 1
    board.receive(bye, LUKAS)
    assert [again.raw for again in board.answers()] == [each.raw for each in first]
    assert board.sent() == []
    assert board.kinds() == ["bye"]


def test_the_ack_for_a_refusal_ends_its_repetition() -> None:
    board = Board()
    board.receive(response(sent_invite(board).message, 486), LENKA)
    restart(board)
    assert sleepers(board) == 1
    board.receive(request("ACK", CALLEE, to_tag="to-1"), LUKAS)
    board.advance(40)
    assert (board.statuses(), board.sent()) == ([], [])
    assert not board.log


def test_a_refusal_that_is_not_acknowledged_is_repeated() -> None:
    board = Board()
    there = sent_invite(board)
    refusal = response(there.message, 486)
    board.receive(refusal, LENKA)
    restart(board)
    board.advance(0.5)
    assert board.statuses() == [486]
    board.receive(refusal, LENKA)
    assert [sent.line[:3] for sent in board.sent()] == ["ACK"]


def test_a_cancel_after_the_restart_reaches_the_callee() -> None:
    board = Board()
    there = sent_invite(board)
    board.receive(response(there.message, 180), LENKA)
    restart(board)
    board.receive(request("CANCEL", CALLEE), LUKAS)
    (cancel,) = board.sent()
    assert (cancel.line[:6], cancel.branch) == ("CANCEL", there.branch)
    restart(board)
    board.receive(response(cancel.message, 200), LENKA)
    board.receive(response(there.message, 487), LENKA)
    assert [sent.line[:3] for sent in board.sent()] == ["ACK"]
    assert board.statuses() == [487]


def test_a_cancel_that_crosses_the_2xx() -> None:
    """The call is answered; the CANCEL comes to the successor, is answered, and changes nothing."""
    board = Board()
    there = sent_invite(board)
    answer = response(there.message, 200)
    board.receive(answer, LENKA)
    restart(board)
    board.receive(request("CANCEL", CALLEE), LUKAS)
    assert (board.statuses(), board.sent()) == ([200], [])
    board.receive(answer, LENKA)
    assert board.statuses() == [200]


def test_the_2xx_of_a_cancelled_fork_is_passed_on() -> None:
    """Both forks answer; the second one's 2xx comes after the restart."""
    board = Board()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.22:5070")
    board.receive(request("INVITE", CALLEE), LUKAS)
    first, second = board.sent()
    board.receive(response(second.message, 180), LENKA)
    board.receive(response(first.message, 200), LENKA)
    restart(board)
    board.receive(response(second.message, 200, tag="to-2"), LENKA)
    assert board.statuses() == [200]
    assert board.kinds() == ["invite", "ringing", "answered", "answered"]


def test_what_lingers_ends_when_its_predecessor_would_have() -> None:
    board = Board()
    board.receive(response(sent_invite(board).message, 200), LENKA)
    restart(board, after=10)
    assert board.proxy.next_deadline() == 1032.0
    board.advance(21.9)
    assert board.log
    board.advance(0.2)
    assert (dict(board.log), sleepers(board), board.proxy.next_deadline()) == ({}, 0, None)


def test_sleepers_are_counted() -> None:
    board = Board()
    board.receive(response(sent_invite(board).message, 200), LENKA)
    restart(board)
    assert (*counts(board), sleepers(board)) == (1, 1, 1)
    board.receive(request("INVITE", CALLEE), LUKAS)
    assert counts(board) == (1, 1)
    board.advance(33)
    assert counts(board) == (0, 0)


def test_state_is_small_and_base_is_written_once() -> None:
    board = Board(fragile=False)
    there = sent_invite(board)
    before = dict(board.log)
    board.receive(response(there.message, 200), LENKA)
    (changed,) = (key for key, value in board.log.items() if before[key] != value)
    assert changed[:1] == STATE
    assert len(board.log[changed]) < 100
