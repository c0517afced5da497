"""The trunks' worker: what leaves for a router, and what is on the disk by then."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bus.inbox import bind_inbox, next_frame

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.settings.model import Settings
from switchboard.settings.trunks import TrunkSettings
from switchboard.sip.flow import TCP, Flow, connection_of
from switchboard.workers.trunks import TrunksService

LIMIT_S = 20.0


@pytest.fixture
def settings() -> Iterator[Settings]:
    with TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        table = {"registrar": "voip.example", "user": "481"}
        tables = {"p": table, "q": table | {"register": False}}
        yield Settings(data_dir=Path(directory), routers=1, trunks=tables)  # type: ignore[arg-type]


@pytest.fixture
def service(context: BusContext, settings: Settings) -> Iterator[TrunksService]:
    service = TrunksService(settings, context, 0)
    yield service
    service.close()


def kept(settings: Settings) -> dict[str, object]:
    found: dict[str, object] = json.loads((settings.trunks_path / "p.json").read_text())
    return found


def test_it_registers_at_once_and_what_it_sends_is_on_the_disk(
    context: BusContext, settings: Settings, service: TrunksService
) -> None:
    with bind_inbox(context, Endpoints(settings.run_dir).inbox("router", 0)) as inbox:
        service.handle_timer(time.monotonic())
        assert (kept(settings)["cseq"], kept(settings)["is_waiting"]) == (1, True)
        until = time.monotonic() + LIMIT_S
        while service.outboxes[0].waiting:
            assert time.monotonic() < until
            service.flush()
        subject, ((worker, token, raw, *_),) = next_frame(inbox)
    assert (subject, worker, token) == ("request.wanted", "trunks", b"p 1")
    assert raw.startswith(b"REGISTER sip:voip.example SIP/2.0\r\n")
    assert service.stats()["trunks"] == 1


def test_what_the_provider_says_is_kept_and_told(settings: Settings, service: TrunksService) -> None:
    service.handle_timer(time.monotonic())
    service.receive("request.answered", [[b"p 1", 503, b"", b""]], time.monotonic())
    assert kept(settings)["refusal"] == "nobody can be reached there"
    (note,) = service.notes()
    assert "trunk p is not registered: nobody can be reached there; next try in 2 s" in note
    told, other = service.answer("trunks.list", None)
    assert (told["refusal"], told["is_waiting"], other["registers"]) == (
        "nobody can be reached there",
        False,
        False,
    )
    assert service.stats()["trunk_refusals"] == 1


def test_what_a_router_took_with_it_is_asked_for_again(settings: Settings, service: TrunksService) -> None:
    service.handle_timer(time.monotonic())
    service.receive("router.restarted", 0, time.monotonic())
    assert kept(settings)["cseq"] == 1
    service.receive("router.restarted", [0], time.monotonic())
    assert (kept(settings)["cseq"], kept(settings)["refusal"]) == (2, "")
    service.receive("request.answered", [[b"p 1", 403, b"", b""]], time.monotonic())
    assert kept(settings)["is_waiting"]  # it was the first one's
    service.receive("request.answered", [[b"p 2", 408, b"", b""]], time.monotonic())
    assert kept(settings)["refusal"] == "nobody answers there"


def test_a_try_that_is_asked_for(service: TrunksService) -> None:
    assert service.answer("trunks.try", "p") is True
    assert service.answer("trunks.try", "p") is True  # one at a time
    assert service.stats()["trunk_registers"] == 1
    assert service.answer("trunks.try", "nobody") is False
    with pytest.raises(LookupError):
        service.answer("trunks.dance", None)


def test_no_register_leaves_that_is_not_on_the_disk(settings: Settings, service: TrunksService) -> None:
    settings.trunks_path.write_text("no directory")
    service.handle_timer(time.monotonic())
    assert service.outboxes[0].waiting == 0
    assert service.writings[0].error
    settings.trunks_path.unlink()
    until = time.monotonic() + LIMIT_S
    while not service.outboxes[0].waiting:
        assert time.monotonic() < until
        service.handle_timer(time.monotonic())
    assert not service.writings[0].error


def test_other_casts_are_counted(service: TrunksService) -> None:
    service.receive("call.happened", [], 0.0)
    service.receive("request.answered", [[b"unknown", 200, b"", b""]], 0.0)
    assert service.stats()["bad_items"] == 1


STREAM = Flow(TCP, "10.0.0.1", "10.9.0.1", 5060)
CONNECTION = STREAM._replace(connection=connection_of(0, b"12345678"))
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:481@voip.example>;tag=1\r\n"
    b"To: <sip:481@voip.example>;tag=x\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nExpires: 600\r\n\r\n"
)


@pytest.fixture
def over_tcp(settings: Settings) -> Settings:
    trunk = TrunkSettings.model_validate(
        {"registrar": "voip.example", "user": "481", "transport": "tcp", "keep_alive_s": 60}
    )
    return settings.model_copy(update={"trunks": {"p": trunk}, "transports": frozenset({"udp", "tcp"})})


@pytest.fixture
def registered(context: BusContext, over_tcp: Settings) -> Iterator[TrunksService]:
    """A service whose trunk is registered over STREAM."""
    service = TrunksService(over_tcp, context, 0)
    service.handle_timer(time.monotonic())
    service.receive("request.answered", [[b"p 1", 200, OK, STREAM.pack()]], time.monotonic())
    yield service
    service.close()


def next_s(service: TrunksService) -> float:
    (told,) = service.answer("trunks.list", None)
    return float(told["next_s"])


def test_it_registers_soon_if_its_connection_has_ended(over_tcp: Settings, registered: TrunksService) -> None:
    registered.receive("connection.closed", [[STREAM._replace(port=5061).pack()]], time.monotonic())
    assert next_s(registered) > 100
    registered.receive("connection.closed", [[CONNECTION.pack()]], time.monotonic())
    assert 0 < next_s(registered) <= 1
    assert "is not reached now: its connection has ended" in registered.notes()[0]
    stats = registered.stats()
    assert (stats["trunk_losses"], stats["trunk_refusals"]) == (1, 0)
    assert kept(over_tcp)["flow"] == ""
    registered.receive("connection.closed", [[CONNECTION.pack()]], time.monotonic())
    assert registered.stats()["trunk_losses"] == 1


def test_the_word_of_the_end_may_come_before_the_answer(registered: TrunksService) -> None:
    assert registered.answer("trunks.try", "p") is True
    registered.receive("connection.closed", [[CONNECTION.pack()]], time.monotonic())
    assert registered.stats()["trunk_losses"] == 0
    registered.receive("request.answered", [[b"p 2", 200, OK, STREAM.pack()]], time.monotonic())
    assert registered.stats()["trunk_losses"] == 1


def test_it_registers_soon_if_nobody_has_watched_the_connection(
    context: BusContext, over_tcp: Settings, registered: TrunksService
) -> None:
    """Another process has the connections, or this worker is another one."""
    registered.receive("stream.restarted", [0], time.monotonic())
    assert next_s(registered) <= 1
    assert registered.notes() == []
    registered.answer("trunks.try", "p")
    registered.receive("stream.restarted", [0], time.monotonic())
    registered.receive("request.answered", [[b"p 2", 200, OK, STREAM.pack()]], time.monotonic())
    assert next_s(registered) <= 1
    registered.answer("trunks.try", "p")
    registered.receive("request.answered", [[b"p 3", 200, OK, STREAM.pack()]], time.monotonic())
    assert next_s(registered) > 100
    successor = TrunksService(over_tcp, context, 0)
    assert next_s(successor) <= 1
    successor.close()


def test_a_provider_that_answers_no_keep_alive_is_gone(registered: TrunksService) -> None:
    (trunk,) = registered._trunks.values()
    at = time.time()
    assert at + 50 < (trunk.alive_at(at) or 0) < at + 70
    token, raw, flow = trunk.keep_alive(at)
    assert raw.startswith(b"OPTIONS sip:voip.example;transport=tcp SIP/2.0\r\n")
    assert flow == STREAM.pack()
    assert trunk.alive_at(at) is None
    trunk.take_keep_alive(token, True, at)
    assert 50 < (trunk.alive_at(at) or 0) - at < 70
    token, _, _ = trunk.keep_alive(at)
    assert trunk.take_keep_alive(b"p alive 1", False, at) == b""  # an earlier one
    assert registered.notes() == []
    registered._requester._due[token] = math.inf, 0
    registered.receive("request.answered", [[token, 408, b"", STREAM.pack()]], time.monotonic())
    assert registered._silent[0].take_back() == [[STREAM.pack()]]
    assert next_s(registered) <= 1
    assert "it does not answer keep-alives" in registered.notes()[0]


def test_casts_of_connections_that_cannot_be_read_are_counted(registered: TrunksService) -> None:
    bad: list[list[object]] = [["no item"], [[b"no flow"]], [[]], [[1]]]
    for body in bad:
        registered.receive("connection.closed", body, time.monotonic())
    registered.receive("stream.restarted", ["0"], time.monotonic())
    assert registered.stats()["bad_items"] == 5
