"""The engine's own sockets to media engines: what is asked and answered without the worker's Python."""

import math
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiled import needs_compiled_core
from fake_engine import Command, FakeEngine, Reply, answered, refused
from relayed import sdp
from workers.test_fast_path import PLAIN, Bench
from workers.test_fast_path import bench as bench  # noqa: PLC0414
from workers.test_router import LIMIT_S
from workers.test_router import service as service  # noqa: PLC0414

from switchboard.registrar.sqlite import SqliteStore
from switchboard.settings.model import Settings

pytestmark = needs_compiled_core
OFFER = sdp("127.0.0.2")


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as running:
        yield running


def relaying(url: str, directory: Path) -> Settings:
    """Settings with which that engine relays all calls."""
    (directory / "run").mkdir()
    made = Settings(data_dir=directory, relay="open", media=(url,), relay_media="always")
    SqliteStore(made.store_path).close()
    return made


@pytest.fixture
def directory() -> Iterator[Path]:
    """One whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sb") as name:
        yield Path(name)


@pytest.fixture
def settings(directory: Path, engine: FakeEngine) -> Settings:
    return relaying(engine.url, directory)


def invite(bench: Bench, number: int = 1) -> None:
    """An INVITE with an offer, in a round of the fast path."""
    port = bench.phone.getsockname()[1]
    head = PLAIN.replace("{number}", str(number)).replace("5060", str(port))
    head = head.replace("Content-Length: 0", f"Content-Type: application/sdp\r\nContent-Length: {len(OFFER)}")
    path, now = bench.service.fast_path, time.monotonic()
    assert path is not None
    path.tell_at = math.inf  # on a slow machine the round would be the worker's, who tells the journal
    assert path.receive(bench.frame(number, head.encode() + OFFER), now) == 1
    assert path.settle(time.monotonic())
    assert bench.heard().startswith(b"SIP/2.0 100 ")


def take(bench: Bench, limit_s: float = LIMIT_S) -> bool:
    """Read what has been answered, by the fast path or else by the worker; return whether the round was plain."""
    link, path = bench.service._media, bench.service.fast_path
    assert link is not None
    assert path is not None
    readable = select.select(link.fds, [], [], limit_s)[0]
    assert readable, "no engine has answered"
    now = time.monotonic()
    taken = [path.drain(fd, now) for fd in readable]
    if not all(taken):
        bench.service._take_relayed(now)
    if all(taken) and path.settle(time.monotonic()):
        return True
    bench.service.flush()
    return False


def test_a_question_is_answered_in_a_plain_round(bench: Bench, engine: FakeEngine) -> None:
    invite(bench)
    assert take(bench)
    sent = bench.phone.recv(4000)
    assert sent.startswith(b"INVITE sip:bob@")
    assert b"m=audio 9000" in sent
    ((command,),) = [engine.of("1")]
    assert (command["command"], command["sdp"]) == ("offer", OFFER.decode())
    stats = bench.service.stats()
    assert (stats["plain"], stats["odd"], stats["media_relayed"]) == (1, 0, 1)
    assert (stats["media_asked"], stats["media_waiting"]) == (1, 0)


def test_a_refusal_is_the_references(bench: Bench, engine: FakeEngine) -> None:
    engine.reply = refused("No")
    invite(bench)
    assert not take(bench)
    assert not take(bench), "it was asked again"
    assert bench.heard().startswith(b"SIP/2.0 488 ")
    assert bench.service.stats()["handed_over"] == 1


def test_silence_is_the_references(bench: Bench, engine: FakeEngine) -> None:
    asked: list[Command] = []

    def only_again(command: Command) -> Reply:
        asked.append(command)
        return answered(command) if len(asked) > 1 else None

    engine.reply = only_again
    invite(bench)
    path = bench.service.fast_path
    assert path is not None
    path.advance(time.monotonic() + 1)
    assert not path.settle(time.monotonic())
    bench.service.flush()
    assert not take(bench)
    assert bench.heard().startswith(b"INVITE sip:bob@")


class Odd:
    """Something at an engine's port that answers a question with given octets."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(LIMIT_S)

    def answer(self, body: bytes) -> None:
        while True:
            datagram, source = self.socket.recvfrom(65_535)
            cookie, _, command = datagram.partition(b" ")
            if b"7:command5:offer" in command:
                self.socket.sendto(body.replace(b"COOKIE", cookie), source)
                return


@pytest.fixture
def odd() -> Iterator[Odd]:
    made = Odd()
    yield made
    made.socket.close()


class TestOddAnswers:
    @pytest.fixture
    def settings(self, directory: Path, odd: Odd) -> Settings:
        return relaying(f"rtpengine://127.0.0.1:{odd.socket.getsockname()[1]}", directory)

    @pytest.mark.parametrize(
        "body",
        [
            b"COOKIE ",
            b"COOKIE x",
            b"COOKIE d6:result2:ok",
            b"COOKIE d6:result2:ok3:sdp999:ve",
            b"COOKIE d3:sdp0:e",
        ],
    )
    def test_what_cannot_be_read_is_asked_again(self, bench: Bench, odd: Odd, body: bytes) -> None:
        invite(bench)
        odd.answer(body)
        assert not take(bench)
        odd.answer(b"COOKIE d6:result2:ok3:sdp%d:%be" % (len(OFFER), OFFER))
        assert not take(bench)
        assert bench.heard().startswith(b"INVITE sip:bob@")

    @pytest.mark.parametrize(
        "body", [b"", b"x", b"COOKIE", b"COOKIEf d6:result2:oke", b"0_1 d6:result2:oke", b"COOKIE\0 de"]
    )
    def test_what_nobody_asked_is_ignored(self, bench: Bench, odd: Odd, body: bytes) -> None:
        invite(bench)
        odd.answer(body)
        assert take(bench)
        assert bench.hears_nothing()
        engine = bench.service._core.engine
        assert engine is not None
        assert engine.media_waiting == 1

    def test_where_nobody_listens_the_reference_asks(self, bench: Bench, odd: Odd) -> None:
        odd.socket.close()
        invite(bench)
        assert not take(bench)
        assert bench.service.stats()["handed_over"] == 1
