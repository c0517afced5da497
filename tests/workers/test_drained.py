"""A router that is drained says so, and its successor, too."""

from pathlib import Path

import pytest

from switchboard.codec import pack
from switchboard.core.transaction_log import BASE, key_of
from switchboard.storage.unusable import NotWritten
from switchboard.wal.router_log import RouterLog
from switchboard.workers.drained import Drained


def test_it_remains_drained_and_says_what_is_left(tmp_path: Path) -> None:
    log = RouterLog(tmp_path / "router-1")
    drained = Drained(log, log.directory)
    assert (drained.is_set, drained.note()) == (False, "takes new calls")
    drained.set(True)
    log.note([pack(["ringing", "c", "a", 1.0])])
    log.keyed.put(key_of(BASE, 7), b"x")
    log.commit()
    assert drained.note() == "drained: 1 transactions, 1 events for the journal to go"
    log.keyed.erase(key_of(BASE, 7))
    log.acknowledge(log.series, 1, 100.0)
    assert drained.note() == "drained: 0 transactions, 0 events for the journal to go; it may be stopped"
    assert Drained(log, log.directory).is_set
    for _ in range(2):
        drained.set(False)
        assert not Drained(log, log.directory).is_set


def test_what_cannot_be_written_has_not_happened(tmp_path: Path) -> None:
    log = RouterLog(tmp_path / "router-1")
    drained = Drained(log, tmp_path / "none")
    with pytest.raises(NotWritten, match="No such file"):
        drained.set(True)
    assert not drained.is_set
