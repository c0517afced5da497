"""What a router has handed to the presence worker is answered, whatever becomes of that."""

import time
from collections.abc import Iterator

import pytest
import zmq
from bus.inbox import bind_inbox, next_frame

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.peer import Peer
from switchboard.workers.delegating import KEPT, Delegating, Taken

LIMIT_S = 20.0


class Log(dict[bytes, bytes]):
    """As much of a router's log as is needed."""

    put = dict.__setitem__
    erase = dict.__delitem__

    def put_records(self, records: bytes) -> None:
        raise NotImplementedError


@pytest.fixture
def delegating(context: BusContext, endpoints: Endpoints) -> Delegating:
    return Delegating(context, endpoints.inbox("presence"), 1, Log())


@pytest.fixture
def inbox(context: BusContext, endpoints: Endpoints) -> Iterator["zmq.Socket[bytes]"]:
    with bind_inbox(context, endpoints.inbox("presence")) as bound:
        yield bound


def flush(delegating: Delegating) -> None:
    until = time.monotonic() + LIMIT_S
    while not delegating.outbox.flush():
        assert time.monotonic() < until
    delegating.mark()


def test_a_mark_stands_behind_the_requests(delegating: Delegating, inbox: "zmq.Socket[bytes]") -> None:
    delegating.put([["a"], ["b"]])
    flush(delegating)
    assert next_frame(inbox) == ("sip.delegated", [["a"], ["b"]])
    assert next_frame(inbox) == ("delegated.mark", [1, 2])
    flush(delegating)
    assert not inbox.poll(0)
    delegating.taken("life", 2)
    assert (delegating.waiting, delegating.outbox.waiting) == (0, 0)


def test_another_life_hears_what_the_former_has_not_answered(
    delegating: Delegating, inbox: "zmq.Socket[bytes]"
) -> None:
    delegating.taken("first", 0)
    delegating.put([["a"], ["b"], ["c"]])
    flush(delegating)
    delegating.taken("first", 1)
    assert delegating.outbox.waiting == 0
    delegating.taken("second", 0)
    flush(delegating)
    frames = [next_frame(inbox) for _ in range(4)]
    assert frames[2:] == [("sip.delegated", [["b"], ["c"]]), ("delegated.mark", [1, 3])]


def test_what_waits_is_not_sent_twice(delegating: Delegating) -> None:
    delegating.put([["a"]])
    delegating.outbox.flush()
    delegating.mark()
    delegating.taken("second", 0)
    assert delegating.outbox.waiting == 1


def test_so_many_are_kept(delegating: Delegating) -> None:
    delegating.put([[number] for number in range(KEPT + 5)])
    assert (delegating.waiting, delegating.outbox.waiting) == (KEPT, KEPT)


def test_marks_are_given_back_behind_the_answers(context: BusContext, endpoints: Endpoints) -> None:
    taken = Taken({3: Peer(context, endpoints.inbox("router", 3))}, "life")
    taken.give_back()
    assert taken.is_waiting  # nobody is there
    assert not taken.take(4, 1)
    assert taken.take(3, 7)
    with bind_inbox(context, endpoints.inbox("router", 3)) as router:
        until = time.monotonic() + LIMIT_S
        while taken.is_waiting:
            taken.give_back()
            assert time.monotonic() < until
        assert next_frame(router) == ("delegated.taken", ["life", 7])


def test_a_successor_hands_over_again_what_was_not_answered(
    context: BusContext, endpoints: Endpoints, inbox: "zmq.Socket[bytes]"
) -> None:
    log = Log({b"U" + bytes(8): b"x"})
    first = Delegating(context, endpoints.inbox("presence"), 1, log)
    first.put([[b"a", 1], [b"b", 2], [b"c", 3]])
    first.taken("life", 1)
    second = Delegating(context, endpoints.inbox("presence"), 1, log)
    flush(second)
    assert [next_frame(inbox) for _ in range(2)] == [
        ("sip.delegated", [[b"b", 2], [b"c", 3]]),
        ("delegated.mark", [1, 3]),
    ]
    second.taken("life", 9)  # said to another one
    assert second.waiting == 2
    second.taken("life", 3)
    assert list(log) == [b"U" + bytes(8)]
    second.put([[b"d", 4]])
    assert Delegating(context, endpoints.inbox("presence"), 1, log).waiting == 1
    assert Delegating(context, endpoints.inbox("presence"), 1, log, is_over=True).waiting == 0
    assert len(log) == 1


def test_what_is_too_much_is_forgotten(delegating: Delegating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.workers.delegating.KEPT", 2)
    delegating.put([[number] for number in range(5)])
    assert (delegating.waiting, len(delegating._log)) == (2, 2)  # type: ignore[arg-type]
