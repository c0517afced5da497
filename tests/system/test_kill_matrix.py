"""The fast part of the kill matrix: each worker is killed and restarted, each parent is killed."""

from collections.abc import Iterator
from functools import partial

import pytest
from system.access import Transport
from system.media_engine import RtpEngine
from system.tools import is_installed

from bench.blow import EVERYTHING, Way, all_workers
from bench.killmatrix import FAST_CALLS, FAST_LOAD_S, FAST_RATE, FAST_WAYS, RATE_ON_STREAMS, RELAYED_PORTS
from bench.ours import PARENT, Ours
from bench.session import Session
from switchboard.settings.hosts import LATE, OPTIONAL, Component

pytestmark = [pytest.mark.system, pytest.mark.alone]

ROUTERS = 2
OFFICE = LATE if is_installed("kamailio") else frozenset()
"""Workers that go, too, where the switchboard has a trunk."""
CELLS = [
    *((worker, way) for way in FAST_WAYS for worker in all_workers(ROUTERS, OFFICE)),
    (EVERYTHING, Way.ROLL),
    *((PARENT + component, Way.KILL) for component in Component if component not in OPTIONAL - OFFICE),
    (f"{PARENT}{Component.EDGE}", Way.TERM),
]
ON_CONNECTIONS = [
    *((worker, way) for way in FAST_WAYS for worker in all_workers(ROUTERS)),
    (EVERYTHING, Way.ROLL),
]
ENCRYPTED = [("edge-stream.0", Way.KILL), (EVERYTHING, Way.KILL), (EVERYTHING, Way.ROLL)]
IDLE = 30


@pytest.fixture(scope="module")
def ours() -> Ours:
    return Ours(ROUTERS, has_trunk=bool(OFFICE))


@pytest.fixture(scope="module")
def session(ours: Ours) -> Iterator[Session]:
    with Session(ours, FAST_CALLS, FAST_RATE, FAST_LOAD_S) as running:
        yield running


@pytest.mark.parametrize(("target", "way"), CELLS)
def test_nothing_is_lost(ours: Ours, session: Session, target: str, way: Way) -> None:
    event = session.happen(target, way)
    assert event.blemishes == [], "\n".join(event.why)
    assert len(event.away_s) == len(ours.workers_of(target))


@pytest.fixture(scope="module")
def relayed() -> Iterator[Session]:
    """A session in which rtpengine relays the media of all calls."""
    with RtpEngine(RELAYED_PORTS) as engine:
        ours = Ours(ROUTERS, engine=engine.url)
        with Session(ours, FAST_CALLS, RATE_ON_STREAMS, FAST_LOAD_S) as running:
            yield running


@pytest.mark.parametrize("target", ["router.0", EVERYTHING])
def test_nothing_is_lost_while_media_is_relayed(relayed: Session, target: str) -> None:
    event = relayed.happen(target, Way.KILL)
    assert event.blemishes == [], "\n".join(event.why)


@pytest.fixture(scope="module")
def connected(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session whose phones are on this transport, beside some that only have registered."""
    ours = Ours(ROUTERS, has_rules=False)
    way_in = partial(ours.access, request.param)
    with Session(ours, FAST_CALLS, RATE_ON_STREAMS, FAST_LOAD_S, way_in, IDLE) as running:
        yield running


@pytest.mark.parametrize("connected", [Transport.TCP], indirect=True)
@pytest.mark.parametrize(("target", "way"), ON_CONNECTIONS)
def test_nothing_is_lost_over_connections(connected: Session, target: str, way: Way) -> None:
    """The parent of the edge holds the connections, so it is not killed here."""
    check_connected(connected, target, way)


@pytest.mark.parametrize("connected", [Transport.TLS, Transport.WSS], indirect=True)
@pytest.mark.parametrize(("target", "way"), ENCRYPTED)
def test_nothing_is_lost_over_encrypted_ones(connected: Session, target: str, way: Way) -> None:
    check_connected(connected, target, way)


def check_connected(connected: Session, target: str, way: Way) -> None:
    event = connected.happen(target, way)
    assert event.blemishes == [], "\n".join(event.why)
    assert event.connections >= IDLE
