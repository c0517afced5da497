"""Machines that allow little, and secrets and sockets at which others could get: told in words, and mended where that
is possible."""

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from system.harness import Switchboard
from system.net import Net
from system.user_agent import registered

from switchboard.settings.hosts import Component

pytestmark = pytest.mark.system

FEW = 24


def limited(words: str) -> list[str]:
    """All components under one parent, after these words for the shell. (honcho has limits of its own.)"""
    return ["sh", "-c", f"{words}; exec switchboard start {' '.join(Component)}"]


def test_too_few_files_are_told_at_the_start() -> None:
    status, said = Switchboard(
        {"SWITCHBOARD_ROUTERS": "1"}, runner=limited(f"ulimit -n {FEW}")
    ).fail_to_start()
    assert (status, said.count("\n")) == (2, 1), said
    assert f"A process may have {FEW} files open here, and 200 are needed" in said
    assert "ulimit -Hn 4096" in said


def test_a_soft_limit_is_raised() -> None:
    with Switchboard(runner=limited(f"ulimit -Sn {FEW}")) as running, Net(running.address) as net:
        registered(net, "lukas")
        limits = Path(f"/proc/{running.component('router')['pid']}/limits").read_text()
        assert "Max open files            4096" in limits
        done = command(running, f"ulimit -Sn {FEW}", "status", "--json")
        assert done.returncode == 0, done.stderr
        done = command(running, f"ulimit -n {FEW}", "bindings")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert f"may have {FEW} files open" in done.stderr


def command(running: Switchboard, words: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of the switchboard in a shell with limits."""
    return subprocess.run(
        ["sh", "-c", f"{words}; exec switchboard {' '.join(arguments)}"],
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_sockets_of_a_deep_data_directory(tmp_path: Path) -> None:
    """Everybody finds them, whatever else their environments say."""
    data_dir = tmp_path / ("d" * 100)
    with Switchboard({"XDG_RUNTIME_DIR": ""}, data_dir=data_dir) as running, Net(running.address) as net:
        phone = registered(net, "lukas")
        run_dir = Path((data_dir / "run.at").read_text())
        assert stat.S_IMODE(run_dir.lstat().st_mode) == 0o700
        assert not (data_dir / "run").exists()
        done = command(running, "export XDG_RUNTIME_DIR=/run/user/0 TMPDIR=/var/tmp", "bindings", "--json")
        assert [each["user"] for each in json.loads(done.stdout)["bindings"]] == [phone.user]
        before = running.kill("router")
        running.wait_component("router", lambda one: one["state"] == "up" and one["pid"] != before)
    shutil.rmtree(run_dir)


def test_a_key_that_others_may_read() -> None:
    with Switchboard({"SWITCHBOARD_AUTH": "on"}) as running:
        key = running.data_dir / "auth.key"
        key.chmod(0o644)
        running.kill("registrar")
        running.wait_logged(f"chmod 600 {key}")
        key.chmod(0o600)
        running.wait_component("registrar", lambda one: one["state"] == "up")


def test_a_hosts_key_that_others_may_read() -> None:
    hosts = {
        "one": {
            "address": "127.0.0.1",
            "components": ["edge", "registrar", "router", "translator", "journal"],
        }
    }
    settings = {"SWITCHBOARD_HOSTS": json.dumps(hosts), "SWITCHBOARD_HOST": "one", "SWITCHBOARD_ROUTERS": "1"}
    refused = Switchboard(settings)
    refused.cli("keys")
    secret = refused.data_dir / "keys" / "one.key_secret"
    secret.chmod(0o644)
    status, said = refused.fail_to_start()
    assert status != 0
    assert f"The secret key {secret} may be read or changed by others (mode 0644): chmod 600 {secret}" in said
    assert "Traceback" not in said


def test_users_that_others_may_read_are_closed_to_them() -> None:
    with Switchboard({"SWITCHBOARD_AUTH": "on"}) as running:
        users = running.data_dir / "users.db"
        users.chmod(0o644)
        before = running.kill("registrar")
        running.wait_component("registrar", lambda one: one["state"] == "up" and one["pid"] != before)
        assert stat.S_IMODE(users.stat().st_mode) == 0o600
        running.wait_logged("users.db could be read by others")
