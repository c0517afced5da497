"""Which calls a router holds that go to another one now."""

import pytest
from playbook import LENKA, LUKAS, Board, request, response

from switchboard.core.held_calls import HeldCalls, is_set_of_routers, pack_sums, unpack_sums
from switchboard.sip.fields import text_of
from switchboard.sip.message import parse_message
from switchboard.sip.shares import call_id_sum, router_of
from switchboard.sip.splice import make_cancel

CALLEE = "sip:lenka@10.0.0.1"
ONE, TWO = frozenset({0}), frozenset({0, 1})
CALLS = [f"call-{number}" for number in range(8)]


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    return board


def expected(routers: int, instance: int, calls: list[str]) -> set[int]:
    sums = {call_id_sum(each.encode()) for each in calls}
    return {each for each in sums if router_of(each, range(routers)) != instance}


@pytest.mark.parametrize("routers", [1, 2, 3])
@pytest.mark.parametrize("instance", [0, 1, 2])
def test_calls_that_ring(board: Board, routers: int, instance: int) -> None:
    for call_id in CALLS:
        board.receive(request("INVITE", CALLEE, call_id=call_id, branch=f"z9hG4bK{call_id}"), LUKAS)
    assert HeldCalls(board.log, instance).sums(frozenset(range(routers))) == expected(
        routers, instance, CALLS
    )


def test_also_what_only_absorbs_and_what_was_refused(board: Board) -> None:
    """A CANCEL and its INVITE; a call to nobody; one that was answered."""
    cancelled, refused, answered = CALLS[:3]
    invite = request("INVITE", CALLEE, call_id=cancelled)
    board.receive(invite, LUKAS)
    board.receive(response(board.sent()[-1].message, 180), LENKA)
    board.receive(make_cancel(parse_message(invite)), LUKAS)
    board.receive(request("INVITE", "sip:nobody@10.0.0.1", call_id=refused, branch="z9hG4bKrefused"), LUKAS)
    board.receive(request("INVITE", CALLEE, call_id=answered, branch="z9hG4bKanswered"), LUKAS)
    (sent,) = [each for each in board.sent() if each.message.method == "INVITE"]
    board.receive(response(sent.message, 200), LENKA)
    assert HeldCalls(board.log, 9).sums(ONE) == expected(1, 9, CALLS[:3])


def test_each_is_held_until_it_is_over_and_read_once(board: Board) -> None:
    held = HeldCalls(board.log, 1)
    board.receive(request("MESSAGE", CALLEE, call_id=CALLS[0]), LUKAS)
    assert held.sums(ONE) == expected(1, 1, CALLS[:1])
    board.receive(request("MESSAGE", CALLEE, call_id=CALLS[1], branch="z9hG4bKother"), LUKAS)
    assert held.sums(ONE) == expected(1, 1, CALLS[:2])
    assert held.sums(TWO) == expected(2, 1, CALLS[:2])
    board.advance(100.0)
    assert held.sums(TWO) == set()


@pytest.mark.parametrize("name", ["Call-ID", "i", "call-id ", "I\t"])
def test_however_the_field_is_written(board: Board, name: str) -> None:
    raw = request("INVITE", CALLEE, call_id="written").replace(b"Call-ID:", f"{name}:  ".encode())
    board.receive(raw, LUKAS)
    assert HeldCalls(board.log, 9).sums(ONE) == {call_id_sum(b"written")}
    assert text_of(b"written") == parse_message(raw).call_id


def test_sums_are_packed() -> None:
    assert unpack_sums(pack_sums({0, 2**32 - 1, 7})) == {0, 2**32 - 1, 7}
    assert unpack_sums(b"") == set()
    with pytest.raises(ValueError, match="multiple"):
        unpack_sums(b"123")


@pytest.mark.parametrize(
    ("numbers", "is_one"),
    [
        ([0], True),
        ([3, 255], True),
        ([], False),
        ([256], False),
        ([-1], False),
        (["0"], False),
        ([0, None], False),
    ],
)
def test_what_may_be_a_set_of_routers(numbers: list[object], is_one: bool) -> None:
    assert is_set_of_routers(numbers) is is_one
