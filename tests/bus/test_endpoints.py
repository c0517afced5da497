from pathlib import Path

from switchboard.bus.endpoints import Endpoints


def test_every_door_has_its_own_socket() -> None:
    at = Endpoints(Path("/run/sb"))
    assert at.inbox("router", 1) == "ipc:///run/sb/router.1.in"
    assert at.inbox("edge-tx") == "ipc:///run/sb/edge-tx.0.in"
    assert at.publisher("registrar") == "ipc:///run/sb/registrar.0.pub"
    assert at.ask("router", 1) == "ipc:///run/sb/router.1.ask"
    assert at.control("router") == "ipc:///run/sb/router.control"
