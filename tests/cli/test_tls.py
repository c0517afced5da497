"""`switchboard tls`, and a start with a bad certificate."""

import json
from pathlib import Path

import pytest
from cli.conftest import Run


def test_made_and_shown(switchboard: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "TLS is off: SWITCHBOARD_TLS=on" in switchboard("tls", "show").stderr
    monkeypatch.setenv("SWITCHBOARD_DOMAINS", "pbx.example.com")
    made = switchboard("tls", "new")
    assert made.status == 0
    assert "pbx.example.com" in made.stderr
    shown = json.loads(switchboard("tls", "show", "--json").stdout)
    assert shown["certificate"] == str(data_dir / "tls" / "cert.pem")
    assert "pbx.example.com" in shown["names"]
    assert shown["problems"] == []
    assert "SHA256" in switchboard("tls", "show").stdout.upper()
    again = json.loads(switchboard("tls", "new", "--authority", "--json").stdout)
    assert again["sha256"] != shown["sha256"]


def test_what_phones_would_refuse(switchboard: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    switchboard("tls", "new")
    monkeypatch.setenv("SWITCHBOARD_DOMAINS", "pbx.example.com")
    found = switchboard("tls", "show", "--json")
    assert found.status == 1
    assert "does not name pbx.example.com" in json.loads(found.stdout)["problems"][0]


@pytest.mark.parametrize("command", [("tls", "show"), ("start", "edge", "--check")])
def test_a_certificate_that_cannot_be_used(
    switchboard: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SWITCHBOARD_TLS", "on")
    for name in ("CERTIFICATE", "KEY"):
        monkeypatch.setenv(f"SWITCHBOARD_TLS_{name}", str(tmp_path / f"{name}.pem"))
    found = switchboard(*command)
    assert found.status in (1, 2)
    assert "CERTIFICATE.pem for TLS cannot be read: No such file or directory." in found.stderr
    assert "is one of yours" in switchboard("tls", "new").stderr
