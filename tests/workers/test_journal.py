import math
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zmq
from bus.inbox import bind_inbox, next_frame
from full_disk import file_limit
from journal.scripts import CALLER, answered, bye, invite, item, ringing
from redis_server import free_port

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rounds import RETRY_S
from switchboard.journal.events import CallEvent
from switchboard.journal.file import read_records
from switchboard.settings.model import Settings
from switchboard.workers.journal import GATHER_S, JournalService

LIMIT_S = 20.0
CALL: list[CallEvent] = [invite(), ringing(), answered(), bye()]


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        yield Settings(data_dir=Path(directory), max_call_s=31_536_000)


@pytest.fixture
def service(context: BusContext, settings: Settings) -> Iterator[JournalService]:
    with closing(JournalService(settings, context, 0)) as service:
        yield service


def tell(service: JournalService, first: int, *events: CallEvent, instance: int = 0) -> None:
    items = [item(number, event) for number, event in enumerate(events, first)]
    frame = frames.pack("call.happened", [instance, "life", items])
    if service.receive_frame(frame) is None:
        service.receive(*frames.unpack(frame), 0.0)


def flush_within(service: JournalService, *counters: str) -> None:
    """Flush as the loop does, until none of `counters` (default: all) says that something waits."""
    until = time.monotonic() + LIMIT_S
    service.flush()
    while any(service.stats()[name] for name in counters or ("commits_waiting", "acknowledgements_waiting")):
        assert time.monotonic() < until, "the router never took its acknowledgement"
        service.flush()


def test_each_router_gets_its_acknowledgement(
    context: BusContext, settings: Settings, service: JournalService
) -> None:
    endpoints = Endpoints(settings.run_dir)
    routers = [bind_inbox(context, endpoints.inbox("router", instance)) for instance in (0, 1)]
    tell(service, 1, *CALL)
    tell(service, 1, invite(call_id="2"), instance=1)
    flush_within(service)
    assert next_frame(routers[0]) == ("call.acknowledged", ["life", 4])
    assert next_frame(routers[1]) == ("call.acknowledged", ["life", 1])
    assert [record.outcome.value for record in read_records(settings.cdr_path)] == ["answered"]


def test_a_router_that_has_left_is_let_go(service: JournalService, settings: Settings) -> None:
    """Else `status` would miss it for as long as the journal runs."""
    there, gone = settings.routers, settings.routers + 1
    (settings.data_dir / f"router-{there}").mkdir()
    for instance in (0, there, gone):
        tell(service, 1, invite(call_id=str(instance)), instance=instance)
    flush_within(service, "commits_waiting")
    assert sorted(peer.endpoint.owner for peer in service.peers()) == ["router.0", f"router.{there}"]
    assert service.stats()["acknowledgements_waiting"] == 2


def test_a_router_that_is_away_is_told_the_latest_when_it_is_back(
    context: BusContext, settings: Settings, service: JournalService
) -> None:
    for number, event in enumerate(CALL, 1):
        tell(service, number, event)
        flush_within(service, "commits_waiting")
    assert service.stats()["acknowledgements_waiting"] == 1
    deadline = service.next_deadline()
    assert deadline is not None
    assert deadline <= time.monotonic() + RETRY_S
    router = bind_inbox(context, Endpoints(settings.run_dir).inbox("router", 0))
    flush_within(service)
    assert next_frame(router) == ("call.acknowledged", ["life", 4])


def test_without_room_routers_are_told_that_their_events_are_held(
    context: BusContext, settings: Settings, service: JournalService
) -> None:
    router = bind_inbox(context, Endpoints(settings.run_dir).inbox("router", 0))
    tell(service, 1, *CALL)
    with file_limit(0):
        assert next_after_commits(service, router) == ("call.held", ["life"])
        assert service.stats()["commits_waiting"] == 1
        deadline = service.next_deadline()
    assert service.writings[0].error
    assert deadline is not None
    assert deadline <= time.monotonic() + GATHER_S
    until = time.monotonic() + LIMIT_S
    while (told := next_after_commits(service, router))[0] == "call.held":
        assert time.monotonic() < until, "it never tried again"
    assert told == ("call.acknowledged", ["life", 4])
    assert service.writings[0].error == 0


def next_after_commits(service: JournalService, router: zmq.Socket[bytes]) -> tuple[str, object]:
    """Flush as the loop does until the router gets something; return that."""
    until = time.monotonic() + LIMIT_S
    while not router.poll(0):
        assert time.monotonic() < until, "nothing was told"
        service.flush()
    return next_frame(router)


def test_a_commit_waits_for_more_after_the_last_one(service: JournalService) -> None:
    tell(service, 1, *CALL)
    service.flush()
    assert service.stats()["commits_waiting"] == 0
    tell(service, 5, invite(call_id="2"))
    service._next_commit = math.inf
    service.flush()
    assert service.stats()["commits_waiting"] == 1


def test_open_calls_are_listed(service: JournalService) -> None:
    tell(service, 1, invite(), ringing())
    (call,) = service.answer("call.list", None)
    assert (call["caller"], call["state"], call["ended_at"]) == (CALLER, "ringing", None)
    with pytest.raises(LookupError):
        service.answer("call.count", None)


def test_calls_wait_until_their_time(context: BusContext, settings: Settings) -> None:
    with closing(JournalService(settings.model_copy(update={"max_call_s": 60.0}), context, 0)) as service:
        assert service.next_deadline() is None
        tell(service, 1, *CALL[:3])
        deadline = service.next_deadline()
        assert deadline is not None
        service.handle_timer(deadline)
        assert len(service.answer("call.list", None)) == 1


def test_other_casts_are_counted(service: JournalService) -> None:
    assert service.receive_frame(frames.pack("sip.received", [0, "life", []])) is None
    service.receive("sip.received", [], 0.0)
    service.receive("call.happened", "nonsense", 0.0)
    service.flush()
    stats = service.stats()
    assert (stats["bad_casts"], stats["malformed_events"], stats["acknowledgements_waiting"]) == (1, 1, 0)


def test_records_are_written_while_their_database_is_away_and_it_is_told_how_many_wait(
    context: BusContext, settings: Settings
) -> None:
    away = settings.model_copy(update={"journal": f"postgresql://user:secret@127.0.0.1:{free_port()}/calls"})
    with closing(JournalService(away, context, 0)) as service:
        tell(service, 1, *CALL)
        flush_within(service, "commits_waiting")
        assert len(list(read_records(settings.cdr_path))) == 1
        until = time.monotonic() + 20.0
        while not service.notes():
            assert time.monotonic() < until, "nobody told that the database is away"
            threading.Event().wait(0.01)
        [note] = service.notes()
        assert "in cdr.jsonl for postgresql://user:…@127.0.0.1" in note
        assert "Connection refused" in note
        assert service.stats()["records_to_ship"] >= 1  # it may have been counted while it was written
        assert settings.journal_name_path.read_text().strip() == settings.here
