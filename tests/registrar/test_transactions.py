"""Server transactions of REGISTERs."""

import pytest
from registrar.registers import NOW_AT, SOURCE, Desk, register

from switchboard.registrar.transactions import Answered, AnsweredInPython, RegisterTransactions, Reply
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.message import parse_message

TWINS = pytest.mark.parametrize("twin", [Answered, AnsweredInPython])


@TWINS
def test_answer_is_found_until_its_time_is_over(twin: type[Answered]) -> None:
    answered = twin(32.0)
    answered.add(b"a", "one", 100.0)
    assert [answered.find(b"a", now) for now in (100.0, 131.9, 132.0)] == ["one", "one", None]
    assert answered.find(b"b", 100.0) is None


@TWINS
def test_purge_forgets_what_is_over(twin: type[Answered]) -> None:
    answered = twin(32.0)
    for number in range(5):
        answered.add(b"%d" % number, "x", float(number))
    answered.add(b"0", "y", 10.0)
    answered.purge(34.5)
    assert (len(answered), answered.find(b"2", 34.5), answered.find(b"0", 34.5)) == (3, None, "y")


@TWINS
def test_the_oldest_go_first(twin: type[Answered]) -> None:
    answered = twin(32.0, keep=2)
    for name in (b"a", b"b", b"a", b"c"):
        answered.add(name, name, 0.0)
    assert [answered.find(name, 0.0) for name in (b"a", b"b", b"c")] == [b"a", None, b"c"]


@TWINS
def test_what_was_added_since_the_beginning_is_undone(twin: type[Answered]) -> None:
    answered = twin(32.0, keep=3)
    answered.add(b"a", "one", 0.0)
    answered.begin()
    answered.add(b"b", "two", 0.0)
    answered.add(b"c", "three", 0.0)
    answered.undo()
    assert [answered.find(name, 1.0) for name in (b"a", b"b", b"c")] == ["one", None, None]
    answered.add(b"b", "other", 1.0)
    assert answered.find(b"b", 1.0) == "other"
    answered.begin()
    answered.purge(100.0)
    answered.add(b"d", "four", 100.0)
    answered.undo()
    assert answered.find(b"d", 100.0) is None


A = "<sip:lukas@10.0.0.9>"


class Counter:
    """A desk with transactions in front of it."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.transactions = RegisterTransactions(self.desk.registrar, 32.0, lambda _, reply: reply)

    def handle(self, raw: bytes, now: float = 0.0, source: tuple[str, int] = SOURCE) -> Reply | None:
        with self.desk.store.batch():
            return self.transactions.handle(parse_message(raw), Flow(UDP, "", *source), now, NOW_AT + now)


def test_retransmission_gets_the_same_reply() -> None:
    counter = Counter()
    raw = register(A)
    first = counter.handle(raw)
    assert first is not None
    assert counter.handle(raw, 31.0) is first
    assert (counter.transactions.replied, counter.transactions.retransmissions) == (1, 1)


def test_retransmission_of_a_refused_one_is_refused_alike() -> None:
    counter = Counter()
    counter.handle(register(A, cseq=5))
    raw = register(A, cseq=4)
    assert counter.handle(raw) is counter.handle(raw, 1.0)


def test_another_branch_is_another_transaction() -> None:
    counter = Counter()
    assert counter.handle(register(A)) is not counter.handle(register(A))


def test_purge_ends_transactions() -> None:
    counter = Counter()
    raw = register(A)
    counter.handle(raw)
    counter.transactions.purge(32.0)
    again = counter.handle(raw, 33.0)
    assert again is not None
    assert b";expires=3567" in again.response
    assert counter.transactions.replied == 2


@pytest.mark.parametrize(("rport", "target"), [(b";rport", ("10.0.0.1", 40000)), (b"", ("10.0.0.1", 5060))])
def test_reply_goes_where_the_via_says(rport: bytes, target: tuple[str, int]) -> None:
    raw = register(A, extra="Accept-Language: sk, en;q=0.5").replace(b";rport", rport)
    reply = Counter().handle(raw, source=("10.0.0.1", 40000))
    assert reply is not None
    assert (reply.target, reply.user, reply.accept_language) == (target, "lukas", "sk, en;q=0.5")


def test_a_malformed_via_is_answered_where_it_came_from() -> None:
    counter = Counter()
    reply = counter.handle(register(A, sent_by="a b", extra="User-Agent: a phone"))
    assert reply is not None
    assert (reply.target, reply.response[:12]) == (SOURCE, b"SIP/2.0 400 ")
    assert counter.transactions.unanswerable == 1
    assert counter.desk.contacts() == []
