"""SIPp registers and calls with passwords, as phones do that know MD5 only (RFC 3261 §22)."""

from pathlib import Path

import pytest
from system.harness import Switchboard
from system.sipmsg import host_port
from system.sipp import Sipp
from system.tools import require_tools

pytestmark = pytest.mark.system

CALLS = 50
CALL_S = 60.0


def identity(user: str, password: str, uri: str) -> list[str]:
    """With what SIPp answers a challenge; it has to be told the Request-URI."""
    return ["-au", user, "-ap", password, "-auth_uri", uri]


def register(switchboard: Switchboard, directory: Path, user: str, password: str, contact: str) -> Sipp:
    """Register once, and return SIPp when it has ended."""
    directory.mkdir()
    options = ["-s", user, "-key", "contact", contact, "-m", "1", *identity(user, password, "127.0.0.1")]
    with Sipp("register_auth", directory, switchboard.address, *options) as registering:
        registering.wait(CALL_S)
    return registering


def test_sipp_registers_and_calls_with_passwords(tmp_path: Path) -> None:
    require_tools("sipp")
    settings = {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_AUTH_ALGORITHMS": "MD5", "SWITCHBOARD_ROUTERS": "2"}
    with Switchboard(settings) as switchboard:
        passwords = {
            user: switchboard.cli("user", "add", user, "--generate").stdout.strip()
            for user in ("caller", "callee")
        }
        with Sipp("callee", tmp_path, switchboard.address, "-m", str(CALLS)) as answering:
            for user, password in passwords.items():
                place = host_port(answering.address)
                done = register(switchboard, tmp_path / f"of {user}", user, password, place)
                assert (done.count("SuccessfulCall"), done.count("FailedCall")) == (1, 0), done.errors()
            wrong = register(switchboard, tmp_path / "wrong", "callee", "guessed", "127.0.0.9:5999")
            assert (wrong.count("SuccessfulCall"), wrong.count("FailedCall")) == (0, 1)
            assert "401" in wrong.errors()
            options = ["-s", "callee", "-key", "caller", "caller"]
            options += identity("caller", passwords["caller"], "callee@127.0.0.1")
            with Sipp(
                "caller_auth", tmp_path, switchboard.address, *options, "-m", str(CALLS), "-r", "20"
            ) as calling:
                assert calling.wait(CALL_S) == 0, calling.errors()
            assert calling.count("SuccessfulCall") == CALLS
        records = switchboard.wait_cdr(CALLS)
        assert {(record["outcome"], record["status"]) for record in records} == {("answered", 200)}
