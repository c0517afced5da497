"""`switchboard keys`."""

import json
from pathlib import Path

from cli.conftest import Run

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
    assert json.loads(shown) == {"directory": str(data_dir / "keys"), "made": []}


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
