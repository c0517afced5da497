"""Bindings in masses that run out: who registers meanwhile is answered, and nobody is killed."""

import time
from pathlib import Path

import pytest
from system.harness import Switchboard, wait_until
from system.net import Net
from system.user_agent import registered

from bench.asked import stat
from bench.start import Registering, fill

pytestmark = [pytest.mark.system, pytest.mark.alone]

MANY = 100_000
PURGED_WITHIN_S = 60.0
NOBODY_WAITS_S = 1.0
"""On a machine that does much else; docs/RELIABILITY.md has what was measured on a quiet one."""


def test_many_that_ran_out_while_all_was_off_delay_nobody(tmp_path: Path) -> None:
    ended_at = time.time() - 60
    fill(tmp_path, MANY, lambda _: ended_at)
    patience = {"SWITCHBOARD_HUNG_AFTER_S": "2"}
    with Switchboard(patience, data_dir=tmp_path) as board, Net(board.address) as net:
        since = time.monotonic()
        phone = registered(net, "lukas")
        with Registering(board.address) as registering:
            wait_until(lambda: stat(board, "registrar.0", "bindings") <= 101, "no bindings", PURGED_WITHIN_S)
            until = time.monotonic()
            wait_until(lambda: time.monotonic() > until + NOBODY_WAITS_S, "the last answers")
            waits = registering.waits_s(since, until)
        assert waits
        assert waits[len(waits) * 9 // 10] < NOBODY_WAITS_S
        assert not any(each["restarts"] for each in board.components())
        assert phone.contact in board.cli("bindings", "--user", "lukas*").stdout
        assert board.cli("bindings", "--user", "user*").stderr == "No binding is like that.\n"
