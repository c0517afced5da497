"""A soak in short: what connections leave behind that are reset at any moment (`bench/resets.py` for minutes)."""

import pytest
from system.access import free_ports
from system.harness import Switchboard

from bench.resets import soak
from bench.soak import MB

pytestmark = [pytest.mark.system, pytest.mark.alone]

CONNECTIONS = 600
MORE_BYTES = 6 * MB


def test_nothing_is_left_of_connections_that_were_reset() -> None:
    ports = free_ports()
    with Switchboard(ports.environment) as board:
        before, after = soak(board, ports, lambda resets: resets.made >= CONNECTIONS)
    for name in before:
        if "edge" in name:
            assert after[name].files <= before[name].files, name
            assert after[name].memory_bytes <= before[name].memory_bytes + MORE_BYTES, name
