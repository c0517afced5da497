"""The fast part of the kill matrix: each worker is killed and restarted, and nothing is lost."""

from collections.abc import Iterator

import pytest

from bench.blow import Way, all_workers
from bench.killmatrix import FAST_CALLS, FAST_LOAD_S, FAST_RATE, FAST_WAYS
from bench.ours import Ours
from bench.session import Session

pytestmark = pytest.mark.system

ROUTERS = 2
TARGETS = list(all_workers(ROUTERS))


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(Ours(ROUTERS), FAST_CALLS, FAST_RATE, FAST_LOAD_S) as running:
        yield running


@pytest.mark.parametrize("way", FAST_WAYS)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_lost(session: Session, target: str, way: Way) -> None:
    event = session.happen(target, way)
    assert event.blemishes == [], "\n".join(event.why)
    assert len(event.away_s) == 1
