"""When a router that takes no new calls may go."""

from pathlib import Path

import pytest

from switchboard.codec import pack
from switchboard.core.transaction_log import BASE, key_of
from switchboard.wal.router_log import RouterLog
from switchboard.workers.leaving import LINGER_S, Leaving

STAYING = frozenset({0})
NOW = 100.0
LATER = NOW + LINGER_S


@pytest.fixture
def log(tmp_path: Path) -> RouterLog:
    return RouterLog(tmp_path / "router-1")


def test_once_edge_rx_knows_twice_that_it_holds_nothing(log: RouterLog) -> None:
    leaving = Leaving(log, 1)
    assert not leaving.is_over(LATER), "nobody has asked"
    leaving.answered(STAYING, 0, NOW)
    assert not leaving.is_over(LATER)
    leaving.answered(STAYING, 0, NOW)
    assert not leaving.is_over(LATER - 0.1)
    assert leaving.is_over(LATER)
    leaving.answered(STAYING, 2, LATER)
    assert not leaving.is_over(LATER + LINGER_S)


def test_not_while_edge_rx_gives_it_new_calls(log: RouterLog) -> None:
    leaving = Leaving(log, 1)
    for _ in range(3):
        leaving.answered(STAYING | {1}, 0, NOW)
    assert not leaving.is_over(LATER)


def test_not_while_something_is_left(log: RouterLog) -> None:
    leaving = Leaving(log, 1)
    for _ in range(2):
        leaving.answered(STAYING, 0, NOW)
    log.note([pack(["ringing", "c", "a", 1.0])])
    log.keyed.put(key_of(BASE, 7), b"x")
    log.commit()
    assert not leaving.is_over(LATER)
    assert "1 transactions, 1 events" in leaving.note()
    log.acknowledge(log.series, 1, NOW)
    assert not leaving.is_over(LATER)
    log.keyed.erase(key_of(BASE, 7))
    assert leaving.is_over(LATER)
