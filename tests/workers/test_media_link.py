"""A router's sockets to media engines, with engines that do what a test wants."""

import select
import time
from collections.abc import Iterator

import pytest
from fake_engine import FakeEngine, refused, silent

from switchboard.media.commands import Ask, Told
from switchboard.media.engine import Engine
from switchboard.settings.model import Settings
from switchboard.workers.media_link import MediaLink, make_media_link, make_relays

PATIENCE_S = 20.0
OFFER = Ask(7, {"command": "offer", "call-id": "x", "sdp": "m=audio 1 RTP/AVP 0"}, (), moves_on=True)
NOBODY = Engine("127.0.0.1", 9)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as running:
        yield running


def told(link: MediaLink) -> Told:
    """The answer to what was asked."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        now = time.monotonic()
        if link.next_deadline() <= now:
            link.handle_timer(now)
        if found := link.take(now):
            ((token, answer),) = found
            assert token == OFFER.token
            return answer
        select.select(link.fds, [], [], 0.05)
    raise AssertionError("no answer")


def asked(engines: list[Engine]) -> tuple[MediaLink, Told]:
    link = MediaLink(engines)
    link.ask([OFFER._replace(engines=engines)], time.monotonic())
    return link, told(link)


def test_an_engine_answers(engine: FakeEngine) -> None:
    link, answer = asked([Engine.parse(engine.url)])
    assert (answer.sdp, answer.error) == (b"m=audio 9000 RTP/AVP 0", "")
    assert link.notes() == []
    assert link.stats()["media_asked"] == 1
    link.close()


def test_where_nobody_listens_another_one_is_asked(engine: FakeEngine) -> None:
    ours = Engine.parse(engine.url)
    link, answer = asked([NOBODY, ours])
    assert answer.engine == ours
    assert link.notes() == [f"the media engine {NOBODY} does not answer"]
    link.close()


@pytest.mark.parametrize(("how", "error"), [(silent, "no media engine answers"), (refused("No"), "No")])
def test_what_goes_wrong_is_told(engine: FakeEngine, how: object, error: str) -> None:
    engine.reply = how  # type: ignore[assignment]
    link, answer = asked([Engine.parse(engine.url)])
    assert answer.error == error
    link.close()


@pytest.mark.parametrize("changes", [{}, {"media": ["rtpengine://127.0.0.1:2223"], "relay_media": "never"}])
def test_without_media_there_is_none(changes: dict[str, object]) -> None:
    settings = Settings(**changes)  # type: ignore[arg-type]
    assert make_media_link(settings) is None
    assert make_relays(settings, bytes(32)) is None
