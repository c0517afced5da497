"""Where passwords come from."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from cli.conftest import Run

from switchboard.cli.credentials import generate_password, read_password
from switchboard.settings.password import parse_password_hash


def test_the_first_line_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" a long secret \r\nmore\n"))
    assert read_password("lukas") == " a long secret "


def test_a_short_one_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1234\n"))
    assert read_password("lukas") == "1234"
    assert "guessed easily" in capsys.readouterr().err


def test_an_empty_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(typer.Exit):
        read_password("lukas")


def test_no_two_that_are_made_are_the_same() -> None:
    assert len({generate_password() for _ in range(100)}) == 100


COMMAND = [sys.executable, "-c", "from switchboard.__main__ import main; main()", "console-password"]


def run(said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, input=said, capture_output=True, text=True, timeout=20, check=False)


def test_a_hash_on_standard_output() -> None:
    done = run("a long password\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert parse_password_hash(done.stdout.strip()).fits("a long password")


def test_a_short_one_is_refused() -> None:
    done = run("short\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "At least 10" in done.stderr


HOSTS = json.dumps(
    {
        "alpha": {"address": "10.0.0.1", "components": ["edge", "translator", "router.0", "router.1"]},
        "beta": {"address": "10.0.0.2", "components": ["registrar", "journal"]},
    }
)


def test_pairs_for_all_hosts(switchboard: Run, data_dir: Path) -> None:
    done = switchboard("keys", HOSTS=HOSTS, HOST="alpha")
    assert (done.status, done.stdout) == (0, "")
    assert f"Made in {data_dir / 'keys'}: alpha, beta." in done.stderr
    assert (
        "Copy to that directory of beta: all *.key, auth.key_secret, and beta.key_secret; then remove that"
        in done.stderr
    )
    secret = (data_dir / "keys" / "auth.key_secret").read_bytes()
    assert len(secret) == 32
    again = switchboard("keys", HOSTS=HOSTS, HOST="alpha")
    assert again.stderr.startswith("All hosts have keys in")
    assert (data_dir / "keys" / "auth.key_secret").read_bytes() == secret
    shown = switchboard("keys", "--json", HOSTS=HOSTS, HOST="alpha").stdout
    prints = json.loads(shown).pop("fingerprints")
    assert json.loads(shown) == {"directory": str(data_dir / "keys"), "made": [], "fingerprints": prints}
    assert list(prints) == ["alpha", "beta"]
    assert f"Fingerprints: alpha {prints['alpha']}, beta {prints['beta']}." in again.stderr


def test_without_hosts(switchboard: Run) -> None:
    done = switchboard("keys")
    assert (done.status, done.stderr) == (
        2,
        "The settings name no hosts: there is nobody to need a key (docs/HOSTS.md).\n",
    )


def test_commands_that_need_a_key_say_so(switchboard: Run) -> None:
    done = switchboard("bindings", HOSTS=HOSTS, HOST="alpha")
    assert done.status == 2
    assert "alpha.key is missing. Make the keys on one host with `switchboard keys`" in done.stderr


def test_a_component_of_another_host_does_not_start(switchboard: Run) -> None:
    done = switchboard("start", "journal", HOSTS=HOSTS, HOST="alpha")
    assert done.status == 2
    assert done.stderr.startswith("journal does not run on this host, alpha, but on beta. Start it there,")


def test_a_bad_table_names_itself(switchboard: Run) -> None:
    done = switchboard("check", HOSTS='{"alpha": {"adress": "10.0.0.1"}}', HOST="alpha")
    assert done.status == 2
    assert "Unknown setting hosts.alpha.adress" in done.stderr
    assert "did you mean address?" in done.stderr
    done = switchboard("check", HOSTS="{")
    assert "Bad setting hosts: '{' (environment variable SWITCHBOARD_HOSTS)" in done.stderr
