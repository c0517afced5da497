"""Saved transactions in a log: numbered, written in two parts, restored one by one."""

import gc

import pytest
from playbook import LENKA, LUKAS, Board, MemoryLog, request, response

from switchboard.core.loop_detection import Numbers
from switchboard.core.transaction_log import BASE, STATE, TransactionLog

CALLEE = "sip:lenka@10.0.0.1"


@pytest.fixture
def board() -> Board:
    board = Board(fragile=False)
    board.bind("lenka", "sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.22:5070")
    return board


def keys(log: MemoryLog, tag: bytes) -> list[bytes]:
    return [key for key in log if key[:1] == tag]


def answered_call(board: Board, number: int) -> None:
    same = {"branch": f"z9hG4bK{number}", "call_id": f"call-{number}"}
    board.receive(request("INVITE", CALLEE, **same), LUKAS)  # type: ignore[arg-type]
    for fork in board.sent():
        board.receive(response(fork.message, 200), LENKA)


def test_the_next_life_counts_on(board: Board) -> None:
    answered_call(board, 1)
    board.crash()
    answered_call(board, 2)
    assert len(keys(board.log, BASE)) == len(keys(board.log, STATE)) == 2


def test_a_restored_unit_keeps_its_place(board: Board) -> None:
    answered_call(board, 1)
    before = list(board.log)
    board.crash()
    board.advance(40)
    assert before
    assert not board.log


def test_only_what_is_met_is_restored(board: Board) -> None:
    for number in range(20):
        answered_call(board, number)
    board.crash()
    layer = board.proxy.env.layer
    assert (len(layer.servers), layer.server_count) == (0, 20)
    board.receive(request("INVITE", CALLEE, branch="z9hG4bK7", call_id="call-7"), LUKAS)
    assert (len(layer.servers), layer.server_count) == (1, 20)


def test_a_unit_of_yesterday_is_erased(board: Board) -> None:
    answered_call(board, 1)
    board.now += 300
    board.crash()
    assert not board.log


def test_forget_all(board: Board) -> None:
    answered_call(board, 1)
    TransactionLog(board.log, Numbers()).forget_all()
    assert not board.log


def test_what_only_absorbs_is_in_the_log_alone(board: Board) -> None:
    answered_call(board, 1)
    layer = board.proxy.env.layer
    assert (layer.servers, layer.clients) == ({}, {})
    assert (layer.server_count, layer.client_count) == (1, 2)
    assert board.proxy.next_deadline() == board.now + 32
    board.advance(32)
    assert (layer.server_count, layer.client_count, dict(board.log)) == (0, 0, {})


def test_a_unit_that_woke_sleeps_again(board: Board) -> None:
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.receive(request("INVITE", CALLEE), LUKAS)
    answer = response(board.sent()[0].message, 200)
    for _ in range(3):
        board.receive(answer, LENKA)
        assert board.proxy.env.layer.servers == {}
    assert board.statuses() == [100, 200, 200, 200]
    assert len(keys(board.log, BASE)) == len(keys(board.log, STATE)) == 1


def test_a_call_leaves_no_cycle_behind(board: Board) -> None:
    """A router collects seldom: what a call needed must go by itself."""
    for number in range(3):
        answered_call(board, number)
    gc.collect()
    gc.disable()
    try:
        for number in range(3, 13):
            answered_call(board, number)
            board.receive(request("CANCEL", CALLEE, branch=f"z9hG4bK{number}"), LUKAS)
            board.advance(100)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("lost", [BASE, STATE])
def test_what_a_damaged_log_lacks_a_part_of_is_erased_and_the_rest_goes_on(board: Board, lost: bytes) -> None:
    for number in range(3):
        answered_call(board, number)
    key = keys(board.log, lost)[1]
    board.log.erase(key)
    board.crash()
    assert len(keys(board.log, BASE)) == len(keys(board.log, STATE)) == 2
    board.advance(40)
    assert not board.log


def test_parts_of_different_moments_are_erased(board: Board) -> None:
    board.receive(request("INVITE", CALLEE, branch="z9hG4bK1", call_id="call-1"), LUKAS)
    base, state = keys(board.log, BASE)[0], keys(board.log, STATE)[0]
    of_two_forks = board.log[base]
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.receive(request("INVITE", CALLEE, branch="z9hG4bK2", call_id="call-2"), LUKAS)
    other = next(key for key in keys(board.log, BASE) if key != base)
    board.log.put(other, of_two_forks)
    assert state in board.log
    board.crash()
    assert keys(board.log, BASE) == [base]
