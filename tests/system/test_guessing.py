"""Somebody guesses a user's password: it is counted, told and limited, and the user's own phone goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from system import fail2ban
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, wait_until
from system.net import Net
from system.password import PasswordAgent, add_user

from bench.asked import stat
from bench.attack import Attack, flooding

pytestmark = [pytest.mark.system, pytest.mark.alone]

GUESSER = "127.1.0.1"
RATE_LIMIT = 400
SECONDS = 4.0
BURST_OF_LINES, LINES_A_SECOND = 50, 10


@pytest.fixture
def switchboard() -> Iterator[Switchboard]:
    """It asks for passwords, and counts all sources, those of this machine too."""
    settings = {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_RATE_EXEMPT": "192.0.2.1"}
    with Switchboard(settings) as running:
        yield running


def failed(switchboard: Switchboard) -> float:
    """So many REGISTERs were refused for good reason."""
    return stat(switchboard, "registrar.0", "auth_failed")


def call(caller: PasswordAgent, callee: PasswordAgent) -> None:
    invite = caller.prove(lambda: caller.invite(callee.aor))
    answered = answer_call(caller, invite, callee, callee.expect("INVITE"))
    hang_up(answered.callee, answered.caller)


@pytest.mark.parametrize("rate", [RATE_LIMIT // 2, RATE_LIMIT * 10], ids=["below the limit", "above it"])
def test_guesses_are_told_and_limited_and_the_victim_goes_on(
    switchboard: Switchboard, tmp_path: Path, rate: int
) -> None:
    with Net(switchboard.address) as net:
        lukas, lenka = PasswordAgent(net, "lukas"), PasswordAgent(net, "lenka")
        for phone in (lukas, lenka):
            add_user(switchboard, phone)
            phone.sign_in()
        with flooding(Attack("guesses", "brute", rate), switchboard, SECONDS, lukas.user) as flood:
            wait_until(lambda: failed(switchboard), "the first guess")
            for _ in range(3):
                lukas.sign_in()
                call(lenka, lukas)
    _check_counters(switchboard, flood, is_limited=rate > RATE_LIMIT)
    _check_log(switchboard, tmp_path / "switchboard.log", lukas.user, is_limited=rate > RATE_LIMIT)


def _check_counters(switchboard: Switchboard, flood: dict[str, int], *, is_limited: bool) -> None:
    """Every guess that was let in failed and got one answer at most; above the limit the rest is not read."""
    ignored = stat(switchboard, "edge-rx.0", "datagrams.ignored")
    assert (ignored > 0) == is_limited
    assert flood["received"] <= failed(switchboard) <= flood["sent"] - ignored


def failures(switchboard: Switchboard) -> list[str]:
    """The log's lines of them so far."""
    return [line for line in switchboard.log().splitlines() if "auth failed" in line]


def _check_log(switchboard: Switchboard, path: Path, victim: str, *, is_limited: bool) -> None:
    """The log has some of the failures, the counter all; fail2ban finds the guesser and nobody else."""
    logged = failed(switchboard) - stat(switchboard, "registrar.0", "auth_unlogged")
    lines = wait_until(lambda: told if len(told := failures(switchboard)) >= logged else None, "all lines")
    assert len(lines) == logged
    assert all(victim in line and "wrong password" in line for line in lines)
    path.write_text(switchboard.log())
    found = fail2ban.found(path)
    assert set(found) == {GUESSER}
    assert len(found) == len(lines) + is_limited
