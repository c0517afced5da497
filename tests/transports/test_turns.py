"""Shares of whoever wants names: nobody waits behind another's thousand questions."""

from switchboard.core.commands import Lookup, Question
from switchboard.transports.turns import MOST_AT_ONCE, MOST_WAITING, SHARE, SHARE_AT_ONCE, Turns, Waiting


def waiting(asker: str, number: int = 0) -> Waiting:
    return Waiting(Question(Lookup(f"n{number}.example", None), asker), 0.0)


def taken(turns: Turns) -> list[str]:
    found = []
    while (each := turns.take()) is not None:
        found.append(each.question.asker)
    return found


def test_one_asker_has_a_share() -> None:
    turns = Turns()
    refused = [turns.add(waiting("anna", number)) for number in range(SHARE + 10)]
    assert refused[:SHARE] == [None] * SHARE
    assert [each and each.question.lookup.host for each in refused[SHARE:]] == [
        f"n{number}.example" for number in range(SHARE, SHARE + 10)
    ]
    assert taken(turns) == ["anna"] * SHARE_AT_ONCE
    turns.end("anna")
    assert taken(turns) == ["anna"]


def test_who_comes_later_need_not_wait_for_those_before() -> None:
    turns = Turns()
    for number in range(SHARE):
        turns.add(waiting("anna", number))
    assert taken(turns) == ["anna"] * SHARE_AT_ONCE
    turns.add(waiting("ben"))
    assert taken(turns) == ["ben"]


def test_turns_alternate() -> None:
    turns = Turns()
    for asker in ("anna", "ben"):
        for number in range(3):
            turns.add(waiting(asker, number))
    assert taken(turns) == ["anna", "ben"] * 3


def test_all_together_have_a_bound_at_once() -> None:
    turns = Turns()
    for asker in range(MOST_AT_ONCE):
        for number in range(2):
            turns.add(waiting(str(asker), number))
    assert len(taken(turns)) == MOST_AT_ONCE


def test_where_all_is_full_the_greediest_gives_way() -> None:
    turns = Turns()
    for asker in range(MOST_WAITING // SHARE):
        for number in range(SHARE):
            assert turns.add(waiting(str(asker), number)) is None
    assert turns.add(waiting("ben")) == waiting("0", SHARE - 1)
    assert turns.add(waiting("ben", 1)) == waiting("1", SHARE - 1)


def test_where_all_is_full_of_equals_the_newcomer_is_refused() -> None:
    turns = Turns()
    for asker in range(MOST_WAITING):
        assert turns.add(waiting(str(asker))) is None
    assert turns.add(waiting("ben")) == waiting("ben")
    assert taken(turns) == [str(asker) for asker in range(MOST_AT_ONCE)]
