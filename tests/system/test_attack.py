"""What attackers get: scanners nothing, flooders little, other users of the host nothing at all."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.harness import Switchboard, wait_until
from system.sipvicious import scan
from system.tools import require_root, require_tools

from bench.asked import run_dir, stat
from bench.attack import ATTACKS, Attack, measure

pytestmark = [pytest.mark.system, pytest.mark.alone]

NOBODY = 65534
ENOUGH = 0.95
"""Of the calls, on a machine that does other things beside."""


@pytest.fixture
def attacked() -> Iterator[Switchboard]:
    """A switchboard that counts everybody but the gateway at 127.0.0.1, as on a network."""
    with Switchboard({"SWITCHBOARD_RATE_EXEMPT": "127.0.0.1"}) as running:
        yield running


def restarts(switchboard: Switchboard) -> int:
    return sum(int(component["restarts"]) for component in switchboard.components())


def test_scanners_hear_nothing(attacked: Switchboard, tmp_path: Path) -> None:
    """SIPVicious says who it is unless it is told otherwise; most who use it do not tell it."""
    found = scan("svmap", tmp_path, attacked.address)
    assert "found nothing" in found, found
    found = scan("svwar", tmp_path, attacked.address, "-e", "100-110")
    assert "found nothing" in found or "server down" in found.lower(), found
    found = scan("svcrack", tmp_path, attacked.address, "-u", "100", "-r", "1-20")
    assert "found nothing" in found or "server down" in found.lower(), found
    assert stat(attacked, "edge-rx.0", "scanners") >= 3
    attacked.wait_logged("scanner dropped")
    assert restarts(attacked) == 0


@pytest.mark.load
@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.sources == 1 and each.kind], ids=str)
def test_calls_of_users_go_on(attacked: Switchboard, attack: Attack) -> None:
    """The short version of `make attack`."""
    require_tools("sipp")
    outcome = measure(attacked, attack, 3.0)
    assert outcome.share >= ENOUGH
    assert restarts(attacked) == 0


def test_other_users_of_the_host_cannot_ask(attacked: Switchboard) -> None:
    """The directory of the sockets is closed to them: neither commands nor questions, nor frames."""
    require_root()
    doors = [run_dir(attacked) / name for name in ("edge.control", "router.0.ask", "router.0.in")]
    wait_until(lambda: all(door.exists() for door in doors), "the doors")
    connect = (
        "import socket, sys\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        socket.socket(socket.AF_UNIX).connect(path)\n"
        "    except PermissionError:\n"
        "        print('refused')\n"
    )
    command = ["python3", "-c", connect, *map(str, doors)]
    done = subprocess.run(
        command,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["refused"] * len(doors)
