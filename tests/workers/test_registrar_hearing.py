"""Which of the registrars' frames reach a worker, and what it does with them."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.registrar.binding import Binding
from switchboard.registrar.follower import StoreFollower
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import NUMBERS
from switchboard.workers.registrar_hearing import Hearing, heard_in, take_change

LIMIT_MS = 20_000
RECORDS = [["eva", [Binding("sip:e@h", 1.0, 2e9).to_wire()]]]


class Air:
    """Two publishers, and a worker that begins with the second one."""

    def __init__(self, context: BusContext, directory: str) -> None:
        endpoints = Endpoints(directory)  # type: ignore[arg-type]
        self.hearing = Hearing([1, 0])
        self.publishers = [context.socket(zmq.XPUB), context.socket(zmq.XPUB)]
        for number, publisher in enumerate(self.publishers):
            publisher.bind(endpoints.publisher("registrar", number))
        self.sockets = [context.socket(zmq.SUB) for _ in range(2)]
        for socket, place in zip(self.sockets, self.hearing.publishers(endpoints), strict=True):
            socket.connect(place)
        self.hearing.opened(self.sockets)

    def settle(self, registrar: int, count: int) -> None:
        """So many choices have reached that publisher."""
        for _ in range(count):
            assert self.publishers[registrar].poll(LIMIT_MS)
            self.publishers[registrar].recv()

    def subjects(self, registrar: int) -> list[str]:
        """What is heard of all that this one publishes."""
        sent = ("location.number", "users.number", "location.learned", "location.clock", "location.changed")
        for subject in sent:
            self.publishers[registrar].send(frames.pack(subject, []))
        found: list[str] = []
        while not found or found[-1] != "location.changed":
            socket = self.sockets[[1, 0].index(registrar)]
            assert socket.poll(LIMIT_MS)
            found.append(frames.unpack(socket.recv())[0])
        return found


@pytest.fixture
def air(context: BusContext, tmp_path: Any) -> Iterator[Air]:
    air = Air(context, tmp_path)
    yield air
    for each in (*air.publishers, *air.sockets):
        each.close(0)


def test_of_one_registrar_all_is_heard_and_of_others_their_own_changes(air: Air) -> None:
    everything = ["location.number", "location.learned", "location.clock", "location.changed"]
    some = ["location.number", "location.changed"]
    air.settle(1, 4)
    air.settle(0, 2)
    assert (air.subjects(1), air.subjects(0)) == (everything, some)
    air.hearing.follow(0)
    air.settle(1, 2)
    air.settle(0, 2)
    assert (air.subjects(1), air.subjects(0)) == (some, everything)


@pytest.mark.parametrize("subject", ["location.changed", "location.learned"])
def test_a_change_is_taken_whoever_made_it(tmp_path: Any, subject: str) -> None:
    with closing(SqliteStore(tmp_path / "location.db", NUMBERS)):
        replica = Replica()
        follower = StoreFollower(replica, tmp_path / "location.db")
        follower.start(0.0)
        heard = take_change(follower, frames.pack(subject, [NUMBERS + 1, RECORDS]), 0.0)
    assert heard is not None
    assert (heard.number, heard.is_learned) == (NUMBERS + 1, subject == "location.learned")
    assert replica.users() == ["eva"]


def test_other_frames_are_none_of_it() -> None:
    assert heard_in(frames.pack("location.number", [1])) is None
    follower: Any = None
    assert take_change(follower, frames.pack("location.changed", "nonsense"), 0.0) is None
