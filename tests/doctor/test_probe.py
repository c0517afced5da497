"""The facts of this machine, whatever it is."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.harness import free_port

from switchboard.bus.context import BusContext
from switchboard.doctor.probe import machine_facts, network_facts, running_facts
from switchboard.settings.model import Settings


@pytest.fixture
def settings() -> Iterator[Settings]:
    """The data directory has a path that is short enough for the sockets below it."""
    port = free_port("127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="sb") as home:
        yield Settings(sip_host="127.0.0.1", sip_port=port, data_dir=Path(home) / "data", routers=1)


def test_a_free_port(settings: Settings) -> None:
    facts = network_facts(settings, edge_runs=False)
    assert (facts.taken, facts.bind_failure) == (None, "")
    assert "127.0.0.1" in [str(each.address.ip) for each in facts.cards]
    assert all(each.name for each in facts.cards)


def test_a_port_that_somebody_has(settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((settings.sip_host, settings.sip_port))
        taken = network_facts(settings, edge_runs=False).taken
        assert taken is not None
        assert taken.pid == os.getpid()
        assert network_facts(settings, edge_runs=True).taken is None


def test_names_are_resolved(settings: Settings) -> None:
    named = settings.model_copy(update={"domains": ("localhost", "nowhere.invalid", "[::1]")})
    domains = network_facts(named, edge_runs=True).domains
    assert list(domains) == ["localhost", "nowhere.invalid"]
    assert "127.0.0.1" in domains["localhost"]
    assert domains["nowhere.invalid"] == []


def test_the_machine(settings: Settings) -> None:
    facts = machine_facts(settings)
    assert facts.data_dir_failure == ""
    assert not settings.data_dir.exists()
    assert facts.disk_free_bytes > 0
    assert facts.python >= (3, 11, 0)
    assert facts.open_files > 0


def test_directories_that_are_wrong(settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o755)
    settings.data_dir.chmod(0o755)
    settings.run_dir.mkdir(mode=0o700)
    assert machine_facts(settings).open_to_others == [settings.data_dir]
    settings.run_dir.rmdir()
    settings.data_dir.rmdir()
    settings.data_dir.write_text("")
    assert machine_facts(settings).data_dir_failure == f"{settings.data_dir} is no directory"


def test_nothing_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.1)
    with BusContext() as context:
        facts = running_facts(settings, context)
    assert (facts.workers, len(facts.not_up), facts.runs, facts.answer_s) == (9, 9, False, None)
    assert (facts.address, facts.port) == ("127.0.0.1", settings.sip_port)
