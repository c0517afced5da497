"""What a router does not take on."""

import pytest
from playbook import LENKA, LUKAS, PETER, Board, request, response

from switchboard.core.limits import Recent
from switchboard.core.overload import LASTS_S
from switchboard.sip.stateless import MORE_A_SECOND


def test_one_source_has_its_limit_and_the_others_theirs() -> None:
    recent = Recent(3)
    assert [recent.admits("a", 1000.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert recent.admits("b", 1000.0)


def test_they_are_remembered_for_an_epoch_and_not_for_three() -> None:
    recent = Recent(1)
    assert recent.admits("a", 1000.0)
    assert not recent.admits("a", 1000.0 + LASTS_S)
    assert recent.admits("a", 1000.0 + 3 * LASTS_S)


def test_after_a_long_silence_nothing_is_left() -> None:
    recent = Recent(1)
    assert recent.admits("a", 1000.0)
    assert recent.admits("a", 1000.0 + 100 * LASTS_S)


PHONE = ("Contact: <sip:lukas@10.0.0.11>", "User-Agent: some phone")
CALLEE = "sip:lenka@10.0.0.1"


def make_board(**limits: int) -> Board:
    board = Board(fragile=False, **limits)  # type: ignore[arg-type]
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    return board


def begin(board: Board, number: int, source: tuple[str, int] = LUKAS, method: str = "INVITE") -> list[int]:
    """What a new request is answered."""
    board.receive(invite(number, method), source)
    return board.statuses()


def invite(number: int, method: str = "INVITE") -> bytes:
    branch, call_id = f"z9hG4bKn{number}", f"call-{number}"
    return request(method, CALLEE, branch=branch, call_id=call_id, lines=PHONE)


def test_more_than_a_router_holds_is_sent_away_and_may_come_back_later() -> None:
    board = make_board(max_transactions=2)
    assert [begin(board, number) for number in range(2)] == [[100], [100]]
    board.receive(invite(3), LUKAS)
    (answer,) = board.answers()
    assert answer.status == 503
    assert 5 <= int(answer.message.get("Retry-After") or 0) < 15
    assert board.proxy.counters["sent_away_transactions"] == 1
    assert board.proxy.env.layer.server_count == 2


def test_retransmissions_cancels_and_dialogs_are_served_all_the_same() -> None:
    board = make_board(max_transactions=1)
    begin(board, 1)
    (sent,) = board.sent()
    board.receive(response(sent.message, 180), LENKA)
    board.statuses()
    assert begin(board, 1) == [180], "sent again"
    board.receive(request("CANCEL", CALLEE, branch="z9hG4bKn1", call_id="call-1"), LUKAS)
    assert board.statuses() == [200]
    bye = request(
        "BYE", "sip:lenka@10.0.0.12", branch="z9hG4bKb", to_tag="t", lines=("Route: <sip:10.0.0.1;lr>",)
    )
    board.receive(bye, LUKAS)
    assert "BYE sip:lenka@10.0.0.12 SIP/2.0" in [sent.line for sent in board.sent()]


def test_one_source_has_its_share_and_the_others_theirs() -> None:
    board = make_board(max_source_transactions=2)
    assert [begin(board, number) for number in range(3)] == [[100], [100], [503]]
    assert begin(board, 4, PETER) == [100]
    assert board.proxy.counters["sent_away_source"] == 1


def test_under_overload_strangers_are_sent_away_first() -> None:
    board = make_board()
    press(board)
    assert begin(board, 1, PETER) == [503], "From names a user who is registered elsewhere"
    assert begin(board, 2, LUKAS) == [100]
    assert begin(board, 3, LUKAS) == [503], "there is room for one"


def press(board: Board) -> None:
    for past_s in (0.22, 0.02, 0.0):
        board.note_lag(0.5, board.now - past_s)


@pytest.mark.parametrize("later_s", [1.5, 4.0, LASTS_S])
def test_a_copy_of_what_was_refused_is_refused_though_there_is_room_again(later_s: float) -> None:
    board = make_board()
    press(board)
    assert begin(board, 1, PETER) == [503]
    board.advance(later_s)
    assert begin(board, 1, PETER) == [503]
    assert board.sent() == []
    assert board.proxy.counters["sent_away_again"] == 1
    assert begin(board, 2, PETER) == [100], "another one is admitted"


def test_after_that_time_it_is_a_new_request() -> None:
    board = make_board(max_source_transactions=1)
    assert [begin(board, number) for number in (1, 2)] == [[100], [503]]
    board.advance(2 * LASTS_S)
    board.answers()
    assert begin(board, 2) == [100]


def test_the_ack_of_a_refusal_ends_here() -> None:
    board = make_board(max_transactions=0)
    board.receive(invite(1), LUKAS)
    (answer,) = board.answers()
    ack = request(
        "ACK", CALLEE, branch="z9hG4bKn1", call_id="call-1", to_tag=answer.message.to_tag, lines=PHONE
    )
    board.receive(ack, LUKAS)
    assert (board.sent(), board.answers()) == ([], [])
    assert board.proxy.counters["acks_ended"] == 1


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("Via: SIP/2.0/UDP a, SIP/2.0/UDP b",) * 29, 100),
        (("Via: SIP/2.0/UDP a, SIP/2.0/UDP b",) * 31, 400),
        (("Via: SIP/2.0/UDP a" + 70 * ", SIP/2.0/UDP a",), 400),
        (("Route: <sip:10.0.0.1;lr>",) * 61, 400),
        (("Subject: " + 70 * ",",), 100),
    ],
)
def test_via_and_route_are_bounded(lines: tuple[str, ...], expected: int) -> None:
    board = make_board()
    board.receive(request("INVITE", CALLEE, lines=lines), LUKAS)
    assert board.statuses() == [expected]


def test_who_is_sent_away_gets_few_octets_more_than_it_sent() -> None:
    board, sent = make_board(max_transactions=0), 0
    for number in range(500):
        branch, call_id = f"z9hG4bK{number}", f"c{number}"
        raw = request("MESSAGE", "sip:x@10.0.0.1", call_id=call_id, branch=branch, max_forwards="")
        raw = raw.replace(b"Content-Length: 0\r\n", b"")
        sent += len(raw)
        board.receive(raw, PETER)
    answers = board.answers()
    assert len(answers) + board.proxy.env.answers.withheld == 500
    assert 0 < sum(len(answer.raw) for answer in answers) - sent * len(answers) / 500 < 1.1 * MORE_A_SECOND
    assert len(answers) < 500
