"""A router that ships its calls, and one that takes them over, as workers: what they say, and when they are silent."""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import randrange
from typing import Any

import pytest
from bus.contexts import OwningContext
from flows import packed

from switchboard.bus import frames
from switchboard.bus.context import BusContext, load_keys, make_keys
from switchboard.bus.peer import Peer
from switchboard.codec import unpack
from switchboard.core.transaction_log import BASE
from switchboard.edge.terms import label
from switchboard.phrases.translate import Translator
from switchboard.settings.model import Settings
from switchboard.sip.scan import scan
from switchboard.transports.sender import HEAD_START_S
from switchboard.wal.event_ring import TERM
from switchboard.workers.router import RouterService
from switchboard.workers.router_run import make_router
from switchboard.workers.standby import StandbyRouter

COMPONENTS = {
    "alpha": ["edge", "translator", "registrar", "journal", "router.2"],
    "beta": ["router.0"],
    "gamma": ["router.1"],
}
INVITE = """INVITE sip:bob@127.0.0.2:5070 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.3:5060;branch=z9hG4bKa
Max-Forwards: 70
From: <sip:anna@127.0.0.3>;tag=a
To: <sip:bob@127.0.0.2>
Call-ID: call-1
CSeq: 1 INVITE
Content-Length: 0

""".replace("\n", "\r\n").encode()
TAKEN_OVER = 1_800_000_000
LEASE_OF_A_TEST_S = 3600.0
Make = Callable[[str, int], RouterService]


class Recorder:
    """A mouth that keeps what goes out."""

    def __init__(self, name: str, sent: list[tuple[str, bytes]]) -> None:
        self._name, self._sent = name, sent

    def send(self, frame: bytes) -> bool:
        self._sent.append((self._name, frame))
        return True


@pytest.fixture
def sent() -> list[tuple[str, bytes]]:
    """The frames that left, with their receivers."""
    return []


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, bytes]]) -> Iterator[Make]:
    """Makes a router of a host, in the place of the one before: on three hosts of which nothing else runs."""
    network = f"127.{randrange(1, 255)}.{randrange(1, 255)}"
    addresses = {name: f"{network}.{number}" for number, name in enumerate(COMPONENTS, 1)}
    hosts = {name: {"address": addresses[name], "components": each} for name, each in COMPONENTS.items()}
    plain = Peer.__init__

    def watched(self: Peer, *arguments: Any) -> None:
        plain(self, *arguments)
        self.mouth = Recorder(self.name, sent)

    monkeypatch.setattr(Peer, "__init__", watched)
    monkeypatch.setattr(Peer, "takes_frames", True)
    services: dict[str, tuple[RouterService, BusContext]] = {}

    def end(host: str) -> None:
        service, context = services.pop(host)
        service.close()
        context.destroy(linger=0)

    with tempfile.TemporaryDirectory(prefix="sb") as directory:

        def make(host: str, instance: int) -> RouterService:
            if host in services:
                end(host)
            settings = Settings(
                data_dir=Path(directory, host),
                keys_dir=Path(directory),
                hosts=hosts,  # type: ignore[arg-type]
                host=host,
                relay="open",
                router_standby=True,
                router_standby_after_s=LEASE_OF_A_TEST_S,
            )
            settings.run_dir.mkdir(parents=True, exist_ok=True)
            make_keys(settings.keys_path, hosts)
            context = OwningContext()
            context.keys = load_keys(settings.keys_path, host, addresses)
            services[host] = make_router(settings, context, instance), context
            return services[host][0]

        yield make
        for host in list(services):
            end(host)


def said(sent: list[tuple[str, bytes]], subject: str) -> list[Any]:
    """The bodies of the frames with this subject; they are taken."""
    unpacked = [frames.unpack(frame) for _, frame in sent]
    found = [body for each, body in unpacked if each == subject]
    sent[:] = [each for each, (name, _) in zip(sent, unpacked, strict=True) if name != subject]
    return found


def work(service: RouterService) -> None:
    now = time.monotonic()
    service.handle_timer(now)
    service.flush()


def ring(service: RouterService) -> None:
    """A call begins."""
    service.receive(
        "sip.received", [[packed("127.0.0.3", 5060, "127.0.0.1"), scan(INVITE), INVITE]], time.monotonic()
    )
    service.flush()


def lease(service: RouterService, term: int = 0) -> None:
    service.receive("router.term", [term, time.monotonic()], time.monotonic())


def messages(sent: list[tuple[str, bytes]], head: bytes) -> list[bytes]:
    """The first words of the messages in frames that begin so; they are taken."""
    found = [item for _, frame in sent if frame.startswith(head) for item in unpack(frame[len(head) :])]
    sent[:] = [each for each in sent if not each[1].startswith(head)]
    return [raw.split(b" ")[0] for _, raw, *_ in found]


def tell_phrases(service: RouterService) -> None:
    """It sends by edge-tx from now on."""
    now = time.monotonic()
    service.receive("phrases.tables", Translator("sk", {}).to_wire(), now)
    service.handle_timer(now + HEAD_START_S)


@pytest.fixture
def primary(make: Make) -> StandbyRouter:
    """Router 0, which has been told the phrases."""
    service = make("beta", 0)
    assert isinstance(service, StandbyRouter)
    tell_phrases(service)
    return service


def test_a_router_beside_the_edge_ships_nothing(make: Make, sent: list[tuple[str, bytes]]) -> None:
    service = make("alpha", 2)
    assert not service.stats().get("shipped")
    work(service)
    assert said(sent, "calls.shipped") == []


def test_it_says_nothing_before_the_edge_does(primary: StandbyRouter, sent: list[tuple[str, bytes]]) -> None:
    ring(primary)
    work(primary)
    assert messages(sent, label(0, 0)) == []
    assert said(sent, "calls.shipped") == []
    assert not any(key[:1] == BASE for key in primary._log.keyed)
    assert primary.notes()[0] == "does nothing until the edge says that it may"
    [[number, term, stamp, taken]] = said(sent, "router.alive")
    assert (number, term, taken) == (0, 0, [])
    primary.receive("router.term", [0, stamp], time.monotonic())
    work(primary)
    assert sorted(messages(sent, label(0, 0))) == [b"INVITE", b"SIP/2.0"]
    assert any(key[:1] == BASE for key in primary._log.keyed)
    assert "does nothing until the edge says that it may" not in primary.notes()


def test_what_it_decides_is_shipped_ahead_of_its_messages(
    primary: StandbyRouter, sent: list[tuple[str, bytes]]
) -> None:
    lease(primary)
    work(primary)
    said(sent, "calls.shipped")
    ring(primary)
    names = [frames.unpack(frame)[0] for _, frame in sent]
    assert names.index("calls.shipped") < names.index("sip.send 0 0")
    assert [to for to, frame in sent if frames.unpack(frame)[0] == "calls.shipped"] == ["router.1"]
    [body] = said(sent, "calls.shipped")
    assert (len(body[7]), len(body[10])) == (1, 1)
    assert primary.stats()["shipped"] == 1
    primary.receive("calls.wanted", [1], time.monotonic())
    work(primary)
    [again] = said(sent, "calls.shipped")
    assert (again[6], again[7], again[10]) == (0, body[7], body[10])


def test_nothing_of_it_takes_a_way_on_which_it_bears_no_label(
    make: Make, sent: list[tuple[str, bytes]]
) -> None:
    """Without phrases it would leave by the translator."""
    service = make("beta", 0)
    lease(service)
    ring(service)
    assert said(sent, "sip.translate") == []
    assert said(sent, "sip.send") == []
    assert sorted(messages(sent, label(0, 0))) == [b"INVITE", b"SIP/2.0"]


def test_who_was_declared_dead_begins_anew(
    make: Make, primary: StandbyRouter, sent: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", signals.append)
    lease(primary)
    ring(primary)
    sent.clear()
    lease(primary, TAKEN_OVER)
    lease(primary, TAKEN_OVER)
    assert signals == [signal.SIGTERM]
    work(primary)
    lease(primary)
    ring(primary)
    assert messages(sent, label(0, 0)) == []
    log = primary._log.keyed
    assert not any(key[:1] == BASE for key in log)
    assert unpack(log[TERM]) == TAKEN_OVER
    successor = make("beta", 0)
    lease(successor, TAKEN_OVER)
    sent.clear()
    ring(successor)
    assert messages(sent, label(0, 0)) == []
    assert b"INVITE" in messages(sent, label(0, TAKEN_OVER))
    assert signals == [signal.SIGTERM]


@pytest.fixture
def pair(make: Make, primary: StandbyRouter) -> tuple[StandbyRouter, StandbyRouter]:
    """Both are allowed to act."""
    standby = make("gamma", 1)
    assert isinstance(standby, StandbyRouter)
    tell_phrases(standby)
    lease(primary)
    lease(standby)
    return primary, standby


def pass_on(sent: list[tuple[str, bytes]], standby: StandbyRouter) -> None:
    """What the one has shipped comes to the other one."""
    for body in said(sent, "calls.shipped"):
        if body[0] == 0:
            standby.receive("calls.shipped", body, time.monotonic())


def test_another_one_goes_on_with_its_calls(
    pair: tuple[StandbyRouter, StandbyRouter], sent: list[tuple[str, bytes]]
) -> None:
    primary, standby = pair
    ring(primary)
    pass_on(sent, standby)
    assert standby.stats()["copied"] == 1
    sent.clear()
    standby.receive("calls.take_over", [0, TAKEN_OVER], time.monotonic())
    standby.receive("calls.take_over", [0, TAKEN_OVER], time.monotonic())
    work(standby)
    assert messages(sent, label(1, 0)) == [b"SIP/2.0"], "the 100 once more"
    assert standby.stats()["copied"] == 0
    assert said(sent, "router.alive")[-1][3] == [[0, TAKEN_OVER, True]]
    [happened] = said(sent, "call.happened")
    assert [event[1] for event in happened[2]] == ["invite"]
    shipped = [unit for body in said(sent, "calls.shipped") if body[0] == 1 for unit in body[7]]
    assert len(shipped) == 1, "it is shipped on"
    ring(standby)
    assert b"INVITE" not in messages(sent, label(1, 0))


def test_instants_are_those_of_its_own_clocks(
    pair: tuple[StandbyRouter, StandbyRouter], sent: list[tuple[str, bytes]]
) -> None:
    primary, standby = pair
    ring(primary)
    [told] = said(sent, "call.happened")
    for body in said(sent, "calls.shipped"):
        body[3] -= 7_000.0
        body[4] -= 5_000.0
        standby.receive("calls.shipped", body, time.monotonic())
    standby.receive("calls.take_over", [0, TAKEN_OVER], time.monotonic())
    work(standby)
    [happened] = said(sent, "call.happened")
    assert happened[2][0][4] == pytest.approx(told[2][0][4] + 5_000, abs=1.0)
    [server] = standby._core.proxy.env.layer.servers.values()
    assert server.user is not None
    [client] = standby._core.proxy.env.layer.clients.values()
    assert client.armed["B"] == pytest.approx(time.monotonic() + 7_000 + 32, abs=25.0)


def test_what_it_ships_in_an_old_term_is_not_taken(
    pair: tuple[StandbyRouter, StandbyRouter], sent: list[tuple[str, bytes]]
) -> None:
    primary, standby = pair
    standby.receive("calls.take_over", [0, TAKEN_OVER], time.monotonic())
    ring(primary)
    pass_on(sent, standby)
    assert standby.stats()["copied"] == 0
    assert said(sent, "calls.wanted") == []


def test_what_is_missing_is_asked_for(
    pair: tuple[StandbyRouter, StandbyRouter], sent: list[tuple[str, bytes]]
) -> None:
    primary, standby = pair
    work(primary)
    said(sent, "calls.shipped")
    ring(primary)
    pass_on(sent, standby)
    assert said(sent, "calls.wanted") == [[1]]
    assert standby.stats()["copied"] == 0
    primary.receive("calls.wanted", [1], time.monotonic())
    work(primary)
    pass_on(sent, standby)
    assert standby.stats()["copied"] == 1


def test_what_is_odd_is_counted(make: Make) -> None:
    service = make("gamma", 1)
    now = time.monotonic()
    for subject, body in (
        ("calls.shipped", [1]),
        ("calls.shipped", [7, 0, "a", 1.0, 1.0, 0, 0, [], [], 0, []]),
        ("router.term", ["0", 1.0]),
        ("calls.take_over", [0]),
        ("calls.wanted", None),
    ):
        service.receive(subject, body, now)
    assert service.stats()["bad_items"] == 5
    service.receive("calls.take_over", [7, 1], now)
    assert service.stats()["bad_items"] == 5
