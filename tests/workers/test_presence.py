"""The presence worker: what leaves, and when."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from bus.inbox import bind_inbox, next_frame
from flows import packed
from full_disk import file_limit

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.registrar.sqlite import SqliteStore
from switchboard.settings.model import Settings
from switchboard.sip.scan import scan
from switchboard.workers.presence import PresenceService

LIMIT_S = 20.0
SUBSCRIBE = """SUBSCRIBE sip:lenka@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.3:5060;branch=z9hG4bK{number}
Max-Forwards: 70
From: <sip:lukas@127.0.0.1>;tag=a
To: <sip:lenka@127.0.0.1>
Call-ID: {number}
CSeq: 1 SUBSCRIBE
Contact: <sip:lukas@127.0.0.3>
Event: {event}
Content-Length: 0

""".replace("\n", "\r\n")


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        made = Settings(data_dir=Path(directory), presence=True, routers=1)
        SqliteStore(made.store_path).close()
        yield made


@pytest.fixture
def service(context: BusContext, settings: Settings) -> Iterator[PresenceService]:
    made = PresenceService(settings, context, 0)
    yield made
    made.close()


@pytest.fixture
def router(context: BusContext, settings: Settings) -> Iterator[zmq.Socket[bytes]]:
    with bind_inbox(context, Endpoints(settings.run_dir).inbox("router")) as inbox:
        yield inbox


@pytest.fixture
def edge(context: BusContext, settings: Settings) -> Iterator[zmq.Socket[bytes]]:
    with bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-tx")) as inbox:
        yield inbox


def subscribe(service: PresenceService, number: int = 1, event: str = "presence") -> None:
    raw = SUBSCRIBE.format(number=number, event=event).encode()
    item = [packed("127.0.0.3", 5060, "127.0.0.1"), scan(raw), raw, "lukas", "lenka", 0]
    service.receive("sip.delegated", [item], time.monotonic())


def hear(service: PresenceService, inbox: "zmq.Socket[bytes]", subject: str) -> list[Any]:
    """The next items with this subject; the worker's rounds go on meanwhile."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        service.handle_timer(time.monotonic())
        service.flush()
        if inbox.poll(20):
            found, body = next_frame(inbox)
            if found == subject:
                items: list[Any] = body
                return items
    raise AssertionError(f"no {subject}")


def test_an_answer_and_a_notify(
    service: PresenceService, router: "zmq.Socket[bytes]", edge: "zmq.Socket[bytes]"
) -> None:
    subscribe(service)
    ((flow, raw),) = hear(service, edge, "sip.send")
    assert raw.startswith(b"SIP/2.0 200 OK")
    assert b"Contact: <sip:lenka@127.0.0.1:5060>" in raw
    assert flow == packed("127.0.0.3", 5060, "127.0.0.1")
    ((worker, token, notify, flow, _),) = hear(service, router, "request.wanted")
    assert (worker, flow) == ("presence", packed("127.0.0.3", 5060, "127.0.0.1"))
    assert notify.startswith(b"NOTIFY sip:lukas@127.0.0.3 SIP/2.0\r\nMax-Forwards")
    service.receive("request.answered", [[token, 481, b"SIP/2.0 481 x\r\n\r\n", flow]], time.monotonic())
    assert service.stats()["subscriptions"] == 0


def test_a_router_that_is_another_one_is_asked_again(
    service: PresenceService, router: "zmq.Socket[bytes]"
) -> None:
    subscribe(service)
    ((_, first, *_),) = hear(service, router, "request.wanted")
    service.receive("router.restarted", [0], time.monotonic())
    ((_, second, notify, *_),) = hear(service, router, "request.wanted")
    assert first != second
    assert b"\r\nCSeq: 2 NOTIFY\r\n" in notify


def test_a_successor_has_the_subscription(
    service: PresenceService, settings: Settings, context: BusContext, router: "zmq.Socket[bytes]"
) -> None:
    subscribe(service)
    service.flush()
    (listed,) = service.answer("subscriptions.list", 0)
    assert service.answer("subscriptions.list", 1) == []
    assert service.answer("subscriptions.find", ["LENKA", 0, 9]) == ([listed], 1, 1)
    assert service.answer("subscriptions.find", ["eva", -1, -1]) == ([], 0, 1)
    later = PresenceService(settings, context, 0)
    try:
        assert [each["tag"] for each in later.answer("subscriptions.list", 0)] == [listed["tag"]]
        assert later.answer("subscriptions.end", listed["tag"]) is True
        hear(later, router, "request.wanted")
    finally:
        later.close()


def test_what_cannot_be_written_is_refused(
    service: PresenceService, settings: Settings, edge: "zmq.Socket[bytes]"
) -> None:
    with file_limit(settings.presence_path.stat().st_size):
        subscribe(service)
        ((_, raw),) = hear(service, edge, "sip.send")
    assert raw.startswith(b"SIP/2.0 503 ")
    assert service.stats()["subscriptions"] == 0
    until = time.monotonic() + LIMIT_S
    while service.writings[0].error:
        service.handle_timer(time.monotonic())
        assert time.monotonic() < until
    subscribe(service, 2)
    ((_, raw),) = hear(service, edge, "sip.send")
    assert raw.startswith(b"SIP/2.0 200 ")


def test_lamps_make_routers_tell_of_calls(service: PresenceService, router: "zmq.Socket[bytes]") -> None:
    subscribe(service, event="dialog")
    ((_, token, *_),) = hear(service, router, "request.wanted")
    hear(service, router, "calls.wanted")
    invite = [1, "invite", "c", "f", 1e9, "sip:x@elsewhere", "sip:lenka@127.0.0.1"]
    ringing = [2, "ringing", "c", "f", 1e9]
    service.receive("call.happened", [0, "life", [invite, ringing]], time.monotonic())
    service.receive("request.answered", [[token, 200, b"SIP/2.0 200 OK\r\n\r\n", b""]], time.monotonic())
    ((_, _, notify, *_),) = hear(service, router, "request.wanted")
    assert b"<state>early</state>" in notify


def test_what_makes_no_sense_is_counted(service: PresenceService) -> None:
    for subject, body in (("x", 1), ("sip.delegated", 1), ("call.happened", [])):
        service.receive(subject, body, 0.0)
    assert service.stats()["bad_items"] == 3
    with pytest.raises(LookupError):
        service.answer("x", None)
