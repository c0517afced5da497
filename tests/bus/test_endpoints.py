from pathlib import Path

from bus.test_plan import PLAN

from switchboard.bus.endpoints import Endpoints
from switchboard.bus.plan import Kind


def test_every_door_has_its_own_socket() -> None:
    at = Endpoints(Path("/run/sb"))
    assert at.inbox("router", 1) == "ipc:///run/sb/router.1.in"
    assert at.inbox("edge-tx") == "ipc:///run/sb/edge-tx.0.in"
    assert at.publisher("registrar") == "ipc:///run/sb/registrar.0.pub"
    assert at.ask("router", 1) == "ipc:///run/sb/router.1.ask"
    assert at.control("router") == "ipc:///run/sb/router.control"
    assert at.listen("router.1", Kind.ASK) == [at.ask("router", 1)]


def test_what_runs_elsewhere_is_reached_by_tcp() -> None:
    at = Endpoints(Path("/run/sb"), PLAN)
    assert at.inbox("router", 0) == "ipc:///run/sb/router.0.in"
    assert at.inbox("router", 1) == PLAN.endpoint("router.1", Kind.INBOX)
    assert at.control("router") == at.control("router", "alpha") == "ipc:///run/sb/router.control"
    assert at.control("router", "beta") == PLAN.endpoint("router", Kind.CONTROL, "beta")
    assert at.listen("router.0", Kind.INBOX) == [
        "ipc:///run/sb/router.0.in",
        PLAN.endpoint("router.0", Kind.INBOX),
    ]


def test_endpoints_know_whose_they_are() -> None:
    at = Endpoints(Path("/run/sb"), PLAN)
    assert [at.inbox("router", number).owner for number in (0, 1)] == ["router.0", "router.1"]
