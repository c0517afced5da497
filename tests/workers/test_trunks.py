"""The trunks' worker: what leaves for a router, and what is on the disk by then."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bus.inbox import bind_inbox, next_frame

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.settings.model import Settings
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
