"""How many files may be open; in processes of their own, since a limit that was lowered stays so."""

import subprocess
import sys

import pytest

from switchboard.settings.model import Settings
from switchboard.supervisor.open_files import WANTED, needed_to_ask, needed_to_serve

CODE = """
import resource, sys
from switchboard.supervisor.open_files import allow_files
print(allow_files(int(sys.argv[1])))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def allowed(needed: int, soft: int, hard: int) -> tuple[str, int]:
    """What is said, and the soft limit then."""
    limit = f"ulimit -Sn {soft} && ulimit -Hn {hard} && exec {sys.executable} -c '{CODE}' {needed}"
    done = subprocess.run(["sh", "-c", limit], capture_output=True, text=True, check=True)
    why, now = done.stdout.splitlines()
    return why, int(now)


@pytest.mark.parametrize(
    ("needed", "soft", "hard", "now"),
    [(500, 64, 4000, 4000), (500, 64, 9999, WANTED), (6000, 64, 9999, 6000), (500, 9000, 9999, 9000)],
)
def test_the_soft_limit_is_raised_as_far_as_it_may(needed: int, soft: int, hard: int, now: int) -> None:
    assert allowed(needed, soft, hard) == ("", now)


def test_what_cannot_be_had_is_told() -> None:
    why, now = allowed(500, 64, 400)
    assert why.startswith(
        "A process may have 400 files open here, and 500 are needed. Raise the hard limit: "
    )
    assert now == 400


def test_more_routers_and_the_console_need_more() -> None:
    without = Settings(routers=1, console="off")
    assert needed_to_serve(without) < needed_to_serve(Settings(routers=2, console="off"))
    assert needed_to_serve(without) + 256 == needed_to_serve(Settings(routers=1))
    assert needed_to_ask(without) < needed_to_serve(without)
