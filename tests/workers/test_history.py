"""The history's worker: what taps publish ends in its file."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows import packed
from history.wire import CALL_ID, call

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.tap import subject_of, topic_of
from switchboard.history.reader import HistoryReader
from switchboard.history.seen import Direction, Seen
from switchboard.settings.model import Settings
from switchboard.workers.history import WAITING, HistoryService, tapped_workers

SUBJECT = subject_of(0)


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        yield Settings(data_dir=Path(directory), routers=2)


@pytest.fixture
def service(settings: Settings, context: BusContext) -> Iterator[HistoryService]:
    service = HistoryService(settings, context, 0)
    yield service
    service.close()


def tapped(seen: Seen, number: int, at_ns: int) -> list[Any]:
    """The frame of a tap that shows one message."""
    if seen.direction is Direction.IN:
        item = [packed(*seen.source, seen.destination.host), b"", seen.raw]
        return ["edge-rx.0", number, [[at_ns, "router.0", frames.pack("sip.received", [item])]]]
    item = [packed(*seen.destination, seen.source.host), seen.raw]
    return ["edge-tx.0", number, [[at_ns, "", frames.pack("sip.send", [item])]]]


def test_messages_are_in_the_file_after_a_commit(service: HistoryService, settings: Settings) -> None:
    now_ns = time.time_ns()
    for number, seen in enumerate(reversed(call())):
        service.receive(SUBJECT, tapped(seen, number, now_ns - number), 0.0)
    service.handle_timer(time.monotonic())
    found = HistoryReader(settings.history_path).messages(CALL_ID)
    assert [seen.raw for seen in found] == [seen.raw for seen in call()], "in order of time"
    assert service.stats()["kept"] == 13


def test_a_commit_is_due_as_soon_as_something_waits(service: HistoryService) -> None:
    service.handle_timer(1000.0)
    assert service.next_deadline() == 1001.0, "the next look at the limits"
    service.receive(SUBJECT, tapped(call()[0], 1, time.time_ns()), 1000.0)
    assert service.next_deadline() == 1000.25


def test_what_comes_late_is_dropped_and_counted(service: HistoryService) -> None:
    service.receive(SUBJECT, tapped(call()[0], 1, time.time_ns() - 3_000_000_000), 0.0)
    service.handle_timer(0.0)
    assert (service.stats()["late_frames"], service.stats()["kept"]) == (1, 0)


def test_what_is_too_much_is_dropped_and_counted(service: HistoryService) -> None:
    item = [packed("10.0.0.2", 5060), call()[0].raw]
    frame = frames.pack("sip.send", [item] * 1000)
    for number in range(WAITING // 1000 + 1):
        service.receive(SUBJECT, ["edge-tx.0", number, [[time.time_ns(), "", frame]]], 0.0)
    assert service.stats()["overflowed"] == 1000


def test_a_message_without_a_name_is_counted(service: HistoryService) -> None:
    body = tapped(call()[0]._replace(raw=b"OPTIONS sip:a SIP/2.0\r\n\r\n"), 1, time.time_ns())
    service.receive(SUBJECT, body, 0.0)
    assert service.stats()["nameless"] == 1


def test_it_listens_to_the_wire_and_on_demand_to_the_others(
    service: HistoryService, settings: Settings
) -> None:
    endpoints = Endpoints(settings.run_dir)
    wire = [("edge-rx", 0), ("edge-tx", 0), ("edge-stream", 0), ("router", 0), ("router", 1)]
    assert service.subscriptions(endpoints) == [endpoints.publisher(*each) for each in wire]
    with_hops = settings.model_copy(update={"history_hops": True})
    assert list(tapped_workers(with_hops)) == [*wire, ("translator", 0)]


class Topics:
    """A socket that remembers what it subscribes to."""

    def __init__(self) -> None:
        self.topics: set[bytes] = set()

    def subscribe(self, topic: bytes) -> None:
        self.topics.add(topic)

    def unsubscribe(self, topic: bytes) -> None:
        self.topics.remove(topic)


def test_under_load_it_asks_the_taps_for_a_share(service: HistoryService) -> None:
    socket: Any = Topics()
    service.subscribed([socket])
    assert socket.topics == {topic_of(0)}
    item = [packed("10.0.0.2", 5060), call()[0].raw]
    frame = frames.pack("sip.send", [item] * 8000)
    service.handle_timer(1000.0)
    service.receive(SUBJECT, ["edge-tx.0", 1, [[time.time_ns(), "", frame]]], 1001.0)
    assert socket.topics == {topic_of(3)}, "8000 messages a second, 1000 wanted"


@pytest.mark.parametrize(("host", "kept"), [("127.0.0.1", 0), ("10.0.0.2", 1)])
def test_our_own_probes_are_not_kept_and_strangers_cannot_pass_for_them(
    service: HistoryService, host: str, kept: int
) -> None:
    raw = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: switchboard-probe-1\r\n\r\n"
    item = [packed(host, 5070, "127.0.0.1"), b"", raw]
    passed = [time.time_ns(), "router.0", frames.pack("sip.received", [item])]
    service.receive(SUBJECT, ["edge-rx.0", 1, [passed]], 0.0)
    service.handle_timer(0.0)
    assert service.stats()["kept"] == kept
