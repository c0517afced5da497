"""The doctor asks engines that do what a test wants."""

from collections.abc import Iterator

import pytest
from fake_engine import FakeEngine

from switchboard.doctor.facts import Finding
from switchboard.doctor.media import check_media
from switchboard.settings.model import Settings


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as running:
        yield running


def found(**settings: object) -> list[Finding]:
    return list(check_media(Settings(**settings)))  # type: ignore[arg-type]


def test_without_media_there_is_nothing_to_say() -> None:
    assert found() == []


def test_an_engine_that_answers_and_one_that_is_not_there(engine: FakeEngine) -> None:
    good, bad = found(media=[engine.url, "rtpengine://127.0.0.1:9"])
    assert f"{engine.url} answers" in str(good)
    assert "Connection refused" in str(bad)
    assert "listen-ng" in str(bad)


def test_engines_that_nobody_asks(engine: FakeEngine) -> None:
    (one,) = found(media=[engine.url], relay_media="never")
    assert "no engine is asked" in str(one)
    assert engine.asked == []
